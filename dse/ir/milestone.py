"""What happened to a search besides its trials: a durable record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Kind = Literal["began", "resumed", "forked", "repriced", "sampler"]
STARTS: tuple[Kind, ...] = ("began", "resumed", "forked")  # a driver took the study up


@dataclass(frozen=True, slots=True)
class Milestone:
    """A moment that the history of a search shows.

    Attributes:
        kind: a driver took up a new study, a stopped one or the trials of another one; another cost model;
            another sampler.
        trial: one more than the largest id of a finished trial.
        seconds: search time so far.
        at: ISO 8601 time, UTC.
        detail: the sampler, or the cost model, from here on.
    """

    kind: Kind
    trial: int
    seconds: float
    at: str
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Milestone:
        """Rebuild a milestone from `to_json`.

        Raises:
            ValueError: it is of a kind that is not known, or its time is none.
            TypeError: a value is of another type.
        """
        found = Milestone(**value)
        if found.kind not in get_args(Kind):
            msg = f"a milestone must be one of {', '.join(get_args(Kind))}, got {found.kind}"
            raise ValueError(msg)
        if datetime.fromisoformat(found.at).tzinfo is None or not math.isfinite(found.seconds):
            msg = f"a milestone must have a time with its zone, got {found.at}, {found.seconds} s"
            raise ValueError(msg)
        if type(found.trial) is not int or not isinstance(found.detail, str):
            msg = (
                f"a milestone must name a trial and what is used, got {found.trial}, {found.detail}"
            )
            raise TypeError(msg)
        return found
