"""The error of a wrong study file: all its problems, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dse.config.complaints import Complaints, Problem
from dse.config.overrides import override
from dse.config.source import Source, Span
from dse.config.tree import place
from dse.config.values import StudyConfig
from dse.errors import UsageError


class StudyFileError(UsageError):
    """A study file that cannot be run; its text shows every problem with line, caret and fix."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(p.render() for p in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type[StudyFileError], tuple[tuple[Problem, ...]]]:
        return StudyFileError, (self.problems,)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the problems as plain JSON values."""
        return [p.to_json() for p in self.problems]


def problem_at(
    config: StudyConfig,
    path: str,
    slug: str,
    message: str,
    hint: str = "",
    notes: Iterable[str] = (),
) -> StudyFileError:
    """Return the error for a problem that shows only after the study file was read.

    Args:
        config: the study.
        path: what is wrong, as in `config.marks`: "space.layers[0].match", "constraints[2]". Where the file does
            not mention it, the nearest key above is shown.
        slug: a stable name of the kind of problem.
        message: what must hold and what we got.
        hint: the nearest fix.
        notes: further lines.
    """
    ignored = Complaints()  # the overrides were read without any before
    root = config.tree
    for text in config.overrides:
        root = override(root, text, ignored) if root is not None else None
    span = (
        place(root, path)
        if root is not None
        else Span(Source.of(str(config.path), config.text), 1, 1, 1)
    )
    return StudyFileError((Problem(span, slug, message, hint, tuple(notes)),))
