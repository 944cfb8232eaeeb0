"""Run a command in a session of its own, which ends with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run_session(
    command: Sequence[str], folder: Path, timeout_s: float | None, stderr: int = subprocess.STDOUT
) -> subprocess.CompletedProcess[str]:
    """Run a command, and return its status with what it printed.

    Tools are often scripts that start the real ones, so the whole group of processes is ended where the
    time is over or the user stops it.

    Args:
        command: program and arguments.
        folder: in which it runs.
        timeout_s: seconds; None: as long as it takes.
        stderr: errors are among `stdout`, or with `subprocess.PIPE` by themselves.

    Raises:
        subprocess.TimeoutExpired: it took too long.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            printed, errors = process.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed, errors or "")
