"""study.yaml -> StudyConfig."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dse.config.complaints import Complaints, Problem
from dse.config.merge import EXTENDS, extended, with_board, written
from dse.config.overrides import override
from dse.config.parse import parse
from dse.config.problems import StudyFileError
from dse.config.source import Source, Span
from dse.config.study import Origin, study_of
from dse.config.tree import Map, Node
from dse.config.values import StudyConfig
from dse.errors import UsageError

MERGED = "# {}, merged with the files that it names.\n"
LARGEST = 1 << 20  # bytes; a study file has a few thousand


def load_config(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    base: Path | None = None,
    check_files: bool = True,
) -> StudyConfig:
    """Read and check a study file.

    Args:
        path: of the file, as messages shall name it.
        overrides: `KEY=VALUE` texts that replace values of the file.
        base: where relative paths start, for a copy of the file; None: at the file.
        check_files: whether the files it names must be there; False to look at a study of another machine.

    Raises:
        StudyFileError: the file is wrong; it carries all problems.
        UsageError: the file cannot be opened.
    """
    text = _read(path)
    complaints = Complaints()
    folder = base or path.parent
    root = _parsed(path, text, complaints)
    one = root
    if isinstance(root, Map) and root.get(EXTENDS) is not None:
        root = extended(root, path, folder, _read_tree, complaints)
    # what is wrong with the board is said below, where --set may have named another one
    file = with_board(root, folder, _read_tree, Complaints())
    if file is not None and file is not one:  # the copy in the study's folder stands alone
        text = MERGED.format(path.name) + written(file) + "\n"
    for change in overrides:
        root = override(root, change, complaints) if root is not None else None
    root = with_board(root, folder, _read_tree, complaints)
    config = None
    if root is not None and file is not None:
        origin = Origin(path, text, tuple(overrides), folder, file)
        config = study_of(root, origin, check_files, complaints)
    if config is None or complaints:
        raise StudyFileError(complaints.sorted())
    return config


def _read_tree(path: Path, complaints: Complaints) -> Node | None:
    return _parsed(path, _read(path), complaints)


def _parsed(path: Path, text: str, complaints: Complaints) -> Node | None:
    source, before = Source.of(str(path), text), len(complaints)
    root = parse(source, text, complaints)
    if root is None and len(complaints) == before:
        complaints.add(
            Span(source, 1, 1, 1),
            "empty-file",
            "the study file is empty",
            "`dse init` writes one to start from",
        )
    return root


def _read(path: Path) -> str:
    """Read the text of a study file; a byte order mark is dropped."""
    try:
        with path.open("rb") as handle:
            data = handle.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"the study file {path} cannot be read: {reason}; `dse init` writes one to start from"
        raise UsageError(msg) from None
    if len(data) > LARGEST:
        msg = f"{path} is no study file: it has more than {LARGEST >> 20} MiB; name a study.yaml"
        raise UsageError(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        source = Source.of(str(path), data.decode("utf-8-sig", errors="replace"))
        lines = Source.of("", before).lines
        problem = Problem(
            Span(source, len(lines), len(lines[-1]) + 1, 1),
            "encoding",
            f"a study file is UTF-8 text, and byte 0x{data[error.start]:02X} here is not",
            "save the file as UTF-8",
        )
        raise StudyFileError((problem,)) from None
