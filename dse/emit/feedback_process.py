"""The process of one synthesis: started, looked at, ended with all its tools."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import Any

# -P: no module of the current folder is imported in place of an installed one
COMMAND = (sys.executable, "-P", "-m", "dse.emit.feedback_job")


class JobProcess:
    """A running `feedback_job`, which ends when this process does, or at its deadline."""

    def __init__(self, request: Mapping[str, Any], timeout_s: float) -> None:
        """Start it.

        Args:
            request: see `feedback_job.run`.
            timeout_s: seconds after which it is ended.
        """
        self._timeout_s, self._begun = timeout_s, time.monotonic()
        self._late = False
        self._out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._err = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        # a session of its own: Ctrl-C is for the search, and the whole group can be ended
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=self._out,
            stderr=self._err,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which `answer` tells
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()  # stays open: its end tells the job that we are gone

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return round(time.monotonic() - self._begun, 1)

    @property
    def ended(self) -> bool:
        """Whether it has ended; past its deadline it is ended here."""
        if self._process.poll() is not None:
            return True
        self._late = time.monotonic() - self._begun > self._timeout_s
        if self._late:
            self.kill()
        return self._late

    def answer(self) -> Mapping[str, Any]:
        """Return its answer once it has ended; `error` where it has none."""
        self._err.seek(0)
        self._out.seek(0)
        said, lines = self._err.read(), self._out.read().splitlines()
        self._close()
        if self._late:
            return {"error": f"not synthesised within {self._timeout_s:g} s"}
        if self._process.returncode or not lines:
            last = (said.strip().splitlines() or ["nothing"])[-1]
            return {"error": f"ended with status {self._process.returncode}: {last}"}
        return dict(json.loads(lines[-1]))

    def kill(self) -> None:
        """End it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._out.close()
        self._err.close()
