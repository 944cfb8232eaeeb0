"""Files that survive a kill, and disks that are full."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dse.errors import UnreachableError, UsageError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRONG_PATH = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write `path` into an error for the user.

    Raises:
        UsageError: nobody can write there.
        UnreachableError: the disk is full, or fails.
    """
    try:
        yield
    except OSError as error:
        if error.errno in WRONG_PATH:
            msg = f"{path} cannot be written: {error.strerror}; write to a folder that is there"
            raise UsageError(msg) from error
        remedy = "free some space" if error.errno in NO_ROOM else "see to it"
        msg = (
            f"{path} cannot be written: {error.strerror or error}; {remedy} and run the same command"
            " again: what is finished is kept, and the study continues from there"
        )
        raise UnreachableError(msg) from error


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never half.

    Raises:
        UsageError: nobody can write there.
        UnreachableError: the disk is full, or fails; the old text is still there.
    """
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        with temporary.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)


def append_line(path: Path, value: Mapping[str, Any]) -> None:
    """Append one line of JSON; it is on disk when this returns."""
    with writing(path), path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(value) + "\n")
        handle.flush()
        os.fsync(handle.fileno())


def read_lines(path: Path) -> Iterator[Any]:
    """Yield the values of a file of JSON lines; none where it is absent, damaged lines left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def drop_half_a_line(path: Path) -> None:
    """Cut off what a killed writer left behind the last whole line, and keep it aside."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        path.with_suffix(".torn").write_bytes(data[len(whole) :])
        with path.open("r+b") as handle:
            handle.truncate(len(whole))
