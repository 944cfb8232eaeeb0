"""One driver per study where its trials are in a database, which any machine can reach.

The holder writes its name and the time into an attribute of the Optuna study, every `BEAT_S` seconds. Who finds a
name that is not older than `LEASE_S` is refused. What that guarantees: two drivers never write side by side for
longer than `BEAT_S`, provided that the clocks of the machines agree within `LEASE_S - 2 BEAT_S`; if both
began within the same moment, or one slept and came back, the one whose name was overwritten stops. A time that lies
further ahead says nothing (a clock was wrong): then the name is watched for two beats.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from typing import Any

from dse.errors import StudyConflictError

KEY = "dse:driver"  # user attribute of the Optuna study
LEASE_S, BEAT_S, SETTLE_S = 60.0, 15.0, 0.5


class Lease:
    """The right to write the trials of a study."""

    def __init__(self, study: Any, name: str) -> None:
        """Name an Optuna study by its own name; nothing is written yet."""
        self._study, self._name = study, name
        self._mine = {
            "holder": f"process {os.getpid()} on {socket.gethostname()}",
            "host": socket.gethostname(),
            "process": os.getpid(),
            "token": uuid.uuid4().hex,
        }
        self._ended = threading.Event()
        self._trouble = ""  # why the lease may be lost; read by the driver's thread
        self._thread = threading.Thread(target=self._keep, daemon=True, name="dse-lease")

    def take(self) -> None:
        """Become the one driver.

        Raises:
            StudyConflictError: another one is.
        """
        other = self._other()
        if other is not None and other["time"] > time.time() + LEASE_S and self._is_silent():
            other = None
        if other is None:
            self._beat()
            time.sleep(
                SETTLE_S
            )  # who came at the same moment has written by now, and the last one stays
            other = self._other()
        if other is not None:
            age = max(0.0, time.time() - other["time"])
            msg = (
                f"{self._name} is being run by {other['holder']}, heard of {age:.0f} s ago; stop it with"
                f" Ctrl-C there, or use another study name. If it is dead, the study is free in"
                f" {max(0.0, LEASE_S - age):.0f} s"
            )
            raise StudyConflictError(msg)
        self._thread.start()

    def check(self) -> None:
        """Raise StudyConflictError where another driver has taken over."""
        if self._trouble:
            raise StudyConflictError(self._trouble)

    def release(self) -> None:
        """Let others have it at once."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with contextlib.suppress(Exception):  # where the server is away, the lease runs out
            found = self._study.user_attrs.get(KEY)
            if found and found["token"] == self._mine["token"]:
                self._study.set_user_attr(KEY, None)

    def _keep(self) -> None:
        while not self._trouble and not self._ended.wait(BEAT_S):
            # where the server is away, the driver's own writes say so, and the next beat tries again
            with contextlib.suppress(Exception):
                self._renew()

    def _renew(self) -> None:
        other = self._study.user_attrs.get(KEY)
        if not other or other["token"] == self._mine["token"]:
            self._beat()
        else:  # written after this process had taken it, whatever the clocks say
            self._trouble = (
                f"{other['holder']} has taken over {self._name} while this process was away;"
                " what is finished is kept, and it goes on there"
            )

    def _beat(self) -> None:
        self._study.set_user_attr(KEY, self._mine | {"time": time.time()})

    def _is_silent(self) -> bool:
        """Whether nobody writes into the attribute: who drives a study does so every `BEAT_S` seconds."""
        before = self._study.user_attrs.get(KEY)
        time.sleep(2 * BEAT_S)
        return bool(self._study.user_attrs.get(KEY) == before)

    def _other(self) -> dict[str, Any] | None:
        """Return who holds the study, unless it is this process, or nobody who is still alive."""
        found = self._study.user_attrs.get(KEY)
        if not found or found["token"] == self._mine["token"]:
            return None
        if time.time() - found["time"] > LEASE_S:
            return None
        here = found["host"] == self._mine["host"]
        return None if here and not _is_running(found["process"]) else dict(found)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
