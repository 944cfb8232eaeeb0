"""The deliverable, complete in memory before it is on disk."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dse.errors import UsageError


@dataclass(frozen=True)
class HlsProject:
    """A project: relative file name -> content."""

    files: Mapping[PurePosixPath, str | bytes]

    @property
    def digest(self) -> str:
        """Hash of all names and contents."""
        h = hashlib.blake2b(digest_size=8)
        for name, content in sorted(self.files.items()):
            h.update(f"{name}\0{content_digest(content)}\n".encode())
        return h.hexdigest()

    def write(self, folder: Path, *, force: bool = False) -> Path:
        """Write the project and return its folder; either all of it is there afterwards, or nothing.

        Args:
            folder: may exist when it is empty.
            force: replace the project that is there. Anything but a project is never removed.

        Raises:
            UsageError: the folder holds something that may not be replaced.
        """
        folder = folder.resolve()
        _check_free(folder, force)
        folder.parent.mkdir(parents=True, exist_ok=True)
        # a sibling, so that the last step is one rename within a file system
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            new, old = Path(scratch) / "new", Path(scratch) / "old"
            for name, content in self.files.items():
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(as_bytes(content))
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        return folder


def _check_free(folder: Path, force: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        msg = f"a project needs a folder, but {folder} is a file; give another name"
        raise UsageError(msg)
    if not any(folder.iterdir()):
        return
    if not (folder / "design.json").is_file():
        msg = f"{folder} is not empty and holds no emitted project; give a new or empty folder"
        raise UsageError(msg)
    if not force:
        msg = f"{folder} already holds a project; give another folder, or --force to replace it"
        raise UsageError(msg)


def as_bytes(content: str | bytes) -> bytes:
    """Return the content of a file as it is written: text is UTF-8 with Unix line ends."""
    return content.encode() if isinstance(content, str) else content


def content_digest(content: str | bytes) -> str:
    """Hash of the content of one file."""
    return hashlib.blake2b(as_bytes(content), digest_size=8).hexdigest()
