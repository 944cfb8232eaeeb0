"""Ctrl-C in three steps, and SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


class StopRequest:
    """What the user asked for.

    First Ctrl-C: no new trials, the running ones finish. Second, or SIGTERM: cancel them (their designs go
    back into the queue). Third: leave at once.
    """

    def __init__(self) -> None:
        """Nothing asked yet."""
        self.requested = False
        self.exit_code = 130
        self._asked = 0

    def install(self) -> None:
        """Take over SIGINT and SIGTERM."""
        signal.signal(signal.SIGINT, self._on_interrupt)
        signal.signal(signal.SIGTERM, self._on_terminate)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._asked += 1
        self.requested = True
        if self._asked == 1:
            print(
                "stopping: no new trials; the running ones finish (Ctrl-C again to cancel them)",
                file=sys.stderr,
            )
        elif self._asked == 2:
            print(
                "cancelling: what runs now is the first to run when the study goes on (Ctrl-C again to leave at once)",
                file=sys.stderr,
            )
            raise KeyboardInterrupt
        else:
            os._exit(self.exit_code)

    def _on_terminate(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.requested = True
        self.exit_code = 143
        raise KeyboardInterrupt
