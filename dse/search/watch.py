"""Who looks over a driver's shoulder: progress that is told, and a user who may want to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from dse.ir.record import TrialRecord
from dse.search.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Status:
    """Where a search stands, beside its finished trials."""

    trials: int  # budget
    repeated: int
    in_flight: int
    capacity: int
    seconds: float


class Progress(Protocol):
    """Hears what happens; must be quick."""

    def event(self, name: str, **data: Any) -> None:
        """Take note of an event."""

    def trial(self, record: TrialRecord, ledger: Ledger, status: Status) -> None:
        """Take note of a finished trial, the last one of the ledger."""

    def close(self) -> None:
        """Nothing more will come."""


class Stop(Protocol):
    """Whether the user asked to stop."""

    requested: bool
