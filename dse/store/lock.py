"""One driver per study folder: a lock of the operating system, which vanishes with its process."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dse.errors import StudyConflictError
from dse.store.files import writing

HOLDER = re.compile(r"process (\d{1,9}) on (\S+)")
TRIES, BETWEEN_S = 25, 0.04  # who only looks holds the lock for microseconds


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that drives a study."""

    process: int
    host: str


class DriverLock:
    """The lock of one study folder."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self._path = path
        self._handle: IO[str] | None = None

    def hold(self) -> None:
        """Take the lock, and leave a name in it.

        Raises:
            StudyConflictError: another driver has it.
            UsageError: nobody can write there.
            UnreachableError: the disk is full.
        """
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = self._path.open("a+", encoding="utf-8")
            try:
                self._take(handle)
                handle.truncate(0)
                handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
                handle.flush()
            except BaseException:
                handle.close()
                raise
        self._handle = handle

    def _take(self, handle: IO[str]) -> None:
        for left in reversed(range(TRIES)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if left:
                    time.sleep(BETWEEN_S)
            else:
                return
        handle.seek(0)
        holder = handle.read().strip() or "another process"
        msg = (
            f"{self._path.parent.name} is being run by {holder}; wait for it, stop it with Ctrl-C there,"
            " or use another study name"
        )
        raise StudyConflictError(msg)

    def release(self) -> bool:
        """Let others have it; say whether it was held."""
        if self._handle is None:
            return False
        self._handle.truncate(0)
        self._handle.close()
        self._handle = None
        return True

    def is_held(self) -> bool:
        """Whether a driver is at work; nothing is written, so a read-only folder can be asked."""
        try:
            with self._path.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def holder(self) -> Holder | None:
        """Return the driver; None where there is none, or it cannot be told."""
        if not self.is_held():
            return None
        text = self._path.read_text(encoding="utf-8", errors="replace")
        found = HOLDER.fullmatch(text.strip())
        return None if found is None else Holder(int(found[1]), found[2])
