"""Paths of a study file, and `${NAME}` in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dse.config.complaints import Complaints
from dse.config.tree import Scalar, describe

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def existing(
    node: Scalar, name: str, folder: Path, check: bool, complaints: Complaints
) -> Path | None:
    """Return the absolute path that a scalar means.

    Args:
        node: the path as written; relative to `folder`.
        name: of the key, for messages.
        folder: of the study file.
        check: whether something must be there; where not, an unset variable stays as it is written.
        complaints: receives what is wrong.
    """
    text = written(node, check, complaints)
    if text is None:
        return None
    try:
        path = (folder / text).resolve()
        if not check or path.exists():
            return path
    except (OSError, ValueError):  # too long, or a null character: no file has such a name
        complaints.add(node.span, "no-such-file", f"{name} {describe(node)} is no file name")
        return None
    complaints.add(
        node.span,
        "no-such-file",
        f"{name} {describe(node)} does not exist",
        "paths are relative to the study file",
    )
    return None


def written(node: Scalar, check: bool, complaints: Complaints) -> str | None:
    """Return the text of a path with its variables replaced; where not `check`, as far as they are set."""
    return expanded(node, complaints) if check else kept(node.text)


def expanded(node: Scalar, complaints: Complaints) -> str | None:
    """Return the text with every `${NAME}` replaced from the environment."""
    missing = [m for m in VARIABLE.finditer(node.text) if m[1] not in os.environ]
    for m in missing:
        complaints.add(
            node.part(m.start(), len(m[0])),
            "undefined-variable",
            f"the environment variable {m[1]!r} is not set",
            f"export {m[1] if m[1].isidentifier() else 'NAME'}=... before running dse",
        )
    return None if missing else kept(node.text)


def kept(text: str) -> str:
    """Return the text with every `${NAME}` that is set replaced; what is not set stays as it is written."""
    return VARIABLE.sub(_value, text)


def _value(variable: re.Match[str]) -> str:
    return os.environ.get(variable[1], variable[0])
