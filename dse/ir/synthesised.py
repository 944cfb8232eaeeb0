"""What a synthesis tool made of a design that the search had predicted: a durable record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dse.ir.hardware import UnitEstimate


@dataclass(frozen=True, slots=True)
class SynthesisedUnit:
    """One unit of a design, predicted and then synthesised out of context.

    Attributes:
        name: of the unit in design.json.
        kind: class of `dse.ir.units`.
        predicted: by the cost model that had not seen this design.
        reported: resource -> count, as far as the report states it.
        report: file or folder in the project.
    """

    name: str
    kind: str
    predicted: UnitEstimate
    reported: Mapping[str, float]
    report: str


@dataclass(frozen=True, slots=True)
class SynthesisedDesign:
    """One design that was synthesised beside the search, or could not be.

    Attributes:
        digest: of the design.
        trial: its trial.
        round: how many times `every` trials had finished when it was chosen; 0: chosen after the search.
        chosen: "promising" or "uncertain".
        tool: "yosys" or "vitis_hls".
        version: of the tool; "" where nothing was reported.
        stage: what the counts are: "synthesised, not placed".
        part: it was synthesised for.
        predicted_by: the cost model that had not seen this design.
        predicted: whole design, sum over all units.
        reported: whole design, resource -> count; empty where it failed.
        units: in stream order; empty where it failed.
        folder: of the project, in the folder of the study.
        reports: folder of the reports, in the project.
        seconds: from the choice to the result.
        finished: ISO 8601 time, UTC.
        error: why there is no result; None where there is one.
    """

    digest: str
    trial: int
    round: int
    chosen: str
    tool: str
    version: str
    stage: str
    part: str
    predicted_by: str
    predicted: UnitEstimate
    reported: Mapping[str, float]
    units: tuple[SynthesisedUnit, ...]
    folder: str
    reports: str
    seconds: float
    finished: str
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> SynthesisedDesign:
        """Rebuild a record."""
        units = tuple(
            SynthesisedUnit(**{**u, "predicted": UnitEstimate.from_json(u["predicted"])})
            for u in value["units"]
        )
        predicted = UnitEstimate.from_json(value["predicted"])
        return SynthesisedDesign(**{**value, "units": units, "predicted": predicted})
