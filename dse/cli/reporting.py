"""Reports while a study runs: written beside the search, by a process of their own, at most so often."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dse.ir.record import TrialRecord
from dse.search.ledger import Ledger
from dse.search.watch import Progress, Status


class Reporting:
    """Passes on what happens, and has a report written when a trial has finished and it is time."""

    def __init__(
        self,
        shown: Progress,
        folder: Path,
        file: Path,
        every_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count the time.

        Args:
            shown: hears everything too.
            folder: of the study.
            file: the report; a reader sees the old one or the whole new one.
            every_s: least seconds between the begin of one and the next.
            clock: gives the time in seconds.
        """
        self._shown, self._every_s, self._clock = shown, every_s, clock
        # -P: no module of the current folder is imported in place of an installed one
        self._command = [sys.executable, "-P", "-m", "dse", "report", folder.name, "-o", str(file)]
        self._command += ["-C", str(folder.parent)]
        self._last = clock()
        self._process: subprocess.Popen[str] | None = None

    def event(self, name: str, **data: Any) -> None:
        """Pass an event on."""
        self._shown.event(name, **data)

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        """Pass a finished trial on; begin a report where none is being written and it is time."""
        self._shown.trial(record, ledger, status)
        if self._ended() and self._clock() - self._last >= self._every_s:
            self._last = self._clock()
            # a session of its own: Ctrl-C is for the search
            self._process = subprocess.Popen(
                self._command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

    def close(self) -> None:
        """End what is being written: the report of the end follows."""
        if not self._ended() and self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        self._shown.close()

    def _ended(self) -> bool:
        """Whether no report is being written; one that failed is told."""
        if self._process is None:
            return True
        if self._process.poll() is None:
            return False
        _, said = self._process.communicate()
        if self._process.returncode:
            why = (said.strip().splitlines() or ["no reason given"])[-1]
            self._shown.event("warning", text=f"no report was written: {why}")
        self._process = None
        return True
