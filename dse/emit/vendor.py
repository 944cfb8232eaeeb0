"""Run a tool of the vendor, and end all of it when its time is over."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from dse.emit.session import run_session
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
    try:
        return run_session(command, folder, timeout)
    except subprocess.TimeoutExpired:
        name = Path(command[0]).name
        msg = f"{name} must end within {timeout:g} s, it did not; give a longer --timeout"
        raise ExternalToolError(msg) from None
