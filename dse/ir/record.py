"""What happened to one candidate: the durable record of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate

State = Literal["feasible", "infeasible", "failed"]
Stage = Literal["estimate", "finetune"]


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One finished candidate.

    Attributes:
        id: number in the order of asking; never reused.
        knobs: what the sampler chose, by knob name, as values (not indices).
        design: the canonical design the knobs decode to; None only where decoding itself failed.
        state: feasible, infeasible (a constraint is violated) or failed (see `error`).
        stage: the highest stage reached: "estimate" (rejected before training) or "finetune".
        metrics: by metric key (`dse.ir.metrics`); `accuracy` is the validation accuracy of the integer
            network as a fraction, absent where nothing was trained.
        hardware: the prediction.
        constraints: scaled violation per constraint text, (value - limit) / limit; <= 0 holds.
        error: why it failed.
        origin: "sampler", or the name of the seed design ("baseline").
        cached_accuracy: True where the accuracy came from the cache.
        seconds: wall time of the evaluation.
        finished: ISO 8601 time, UTC.
    """

    id: int
    knobs: Mapping[str, Any]
    design: DesignPoint
    state: State
    stage: Stage
    metrics: Mapping[str, float]
    hardware: HardwareEstimate | None
    constraints: Mapping[str, float]
    error: str | None
    origin: str
    cached_accuracy: bool
    seconds: float
    finished: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__}
        value["design"] = self.design.to_json()
        value["hardware"] = None if self.hardware is None else self.hardware.to_json()
        return value

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> TrialRecord:
        """Rebuild a record from `to_json`."""
        hardware = value["hardware"]
        return TrialRecord(
            **{
                **value,
                "design": DesignPoint.from_json(value["design"]),
                "hardware": None if hardware is None else HardwareEstimate.from_json(hardware),
            }
        )


@dataclass(frozen=True, slots=True)
class FinalRecord:
    """A design of the front after training at full budget.

    Accuracies are fractions, of the integer network that would be emitted. `test_accuracy` is on the
    split the search never saw.
    """

    digest: str
    validation_accuracy: float
    test_accuracy: float
    test_images: int
    epochs: int
    accelerator_digest: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
