"""Run a tool of the vendor, and end all of it when its time is over."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dse.errors import ExternalToolError


def run(command: Sequence[str], folder: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command, and return its status with what it printed, errors included, in `stdout`.

    The programs on PATH are scripts that start the real ones, so the whole group of processes is
    ended where the time is over or the user stops it.

    Args:
        command: program and arguments.
        folder: in which it runs.
        timeout: seconds.

    Raises:
        ExternalToolError: it took too long.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=timeout)
        except BaseException as stopped:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(stopped, subprocess.TimeoutExpired):
                raise
            name = Path(command[0]).name
            msg = f"{name} must end within {timeout:g} s, it did not; give a longer --timeout"
            raise ExternalToolError(msg) from None
    return subprocess.CompletedProcess(command, process.returncode, printed, "")
