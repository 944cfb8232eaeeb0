"""What happened to one candidate: the durable record of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dse.ir.design import DesignPoint
from dse.ir.hardware import HardwareEstimate

State = Literal["feasible", "infeasible", "failed", "passed"]
Stage = Literal["estimate", "post-training", "short", "finetune", "accuracy"]
FOLDING = (
    "folding"  # origin of a further folding of a compression that was trained for another trial
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model expected of a training before it was run; never an accuracy that was reached.

    Accuracies are fractions. 90 % of trainings are expected between `low` and `high`.
    """

    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class StageAccuracy:
    """What a stage measured: a fraction, of the integer network, on so many validation images."""

    stage: Stage
    accuracy: float
    images: int


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One finished candidate.

    Attributes:
        id: number in the order of asking; never reused.
        knobs: what the sampler chose, by knob name, as values (not indices).
        design: the canonical design the knobs decode to; None only where decoding itself failed.
        state: feasible, infeasible (a constraint is violated), failed (see `error`), or passed: passed over,
            because the accuracy it may reach would still leave it dominated (see `predicted`), or because a
            stage kept others (see `accuracies`).
        stage: the highest stage reached: "estimate" (rejected or passed over before training), "post-training"
            (`accuracy` without training), "short" (passed over after a short training), "finetune", or
            "accuracy" (measured once more behind it).
        metrics: by metric key (`dse.ir.metrics`); `accuracy` is the validation accuracy of the integer
            network as a fraction, absent where nothing was trained.
        hardware: the prediction.
        constraints: scaled violation per constraint text, (value - limit) / limit; <= 0 holds.
        error: why it failed.
        origin: who chose it: "sampler", "guide", "mutation", "folding", or the name of the seed design
            ("baseline").
        cached_accuracy: True where the accuracy came from the cache.
        seconds: wall time of the evaluation.
        finished: ISO 8601 time, UTC.
        predicted: the accuracy that was expected before training, where a model was asked.
        short_accuracy: validation accuracy after the short training that the full one continues.
        accuracies: what every stage measured on the way, where the study has stages `accuracy`.
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
    predicted: Prediction | None = None
    short_accuracy: float | None = None
    accuracies: tuple[StageAccuracy, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is one of the budget's trials.

        Neither is one more folding of another, nor what was passed over before a stage measured it.
        """
        return (self.state != "passed" or bool(self.accuracies)) and self.origin != FOLDING

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `accuracies` only where there are some."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__}
        value["accuracies"] = [asdict(a) for a in self.accuracies]
        if not self.accuracies:
            del value["accuracies"]
        value["design"] = self.design.to_json()
        value["hardware"] = None if self.hardware is None else self.hardware.to_json()
        value["predicted"] = None if self.predicted is None else asdict(self.predicted)
        return value

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> TrialRecord:
        """Rebuild a record from `to_json`, of this version or one that did not predict accuracies yet."""
        hardware, predicted = value["hardware"], value.get("predicted")
        return TrialRecord(
            **{
                **value,
                "design": DesignPoint.from_json(value["design"]),
                "hardware": None if hardware is None else HardwareEstimate.from_json(hardware),
                "predicted": None if predicted is None else Prediction(**predicted),
                "accuracies": tuple(StageAccuracy(**a) for a in value.get("accuracies", ())),
            }
        )


@dataclass(frozen=True, slots=True)
class CountedInterval:
    """Cycles between frames of a trained design that skips edges, on images of the test split.

    They are counted by the cycle model of its units: those of the slowest unit of every image.
    """

    images: int
    mean: float
    p95: float  # 95th percentile


@dataclass(frozen=True, slots=True)
class FinalRecord:
    """A design of the front after training at full budget.

    Accuracies are fractions, of the integer network that would be emitted. `test_accuracy` is on the
    split the search never saw. `interval` is there where the design skips edges.
    """

    digest: str
    validation_accuracy: float
    test_accuracy: float
    test_images: int
    epochs: int
    accelerator_digest: str
    seconds: float
    interval: CountedInterval | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `interval` only where there is one."""
        value = asdict(self)
        return (
            value
            if self.interval is not None
            else {k: v for k, v in value.items() if k != "interval"}
        )

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> FinalRecord:
        """Rebuild a record from `to_json`."""
        interval = dict(value).get("interval")
        return FinalRecord(
            **{**value, "interval": None if interval is None else CountedInterval(**interval)}
        )
