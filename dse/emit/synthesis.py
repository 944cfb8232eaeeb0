"""What a tool made of the units of a project, beside what was predicted: one form for all tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor

import numpy as np

from cost_models._model import CostModel
from cost_models.learned import LearnedModel
from dse.emit import synth_yosys
from dse.errors import UsageError
from dse.folding.estimate import price
from dse.ir.hardware import Resources, UnitEstimate
from dse.ir.units import Unit
from hw_templates._boards import family_of


@dataclass(frozen=True)
class SynthesisedUnit:
    """One unit, or the whole design, predicted and synthesised.

    Attributes:
        name: of the unit in design.json; of the top for the whole design.
        kind: class of `dse.ir.units`; "" for the whole design.
        predicted: by the cost model; of the whole design, the sum over all units.
        low: lower end of the 90 % interval of the prediction.
        high: upper end.
        reported: what the tool reports, at the stage that `Synthesis` names.
        report: file or folder in the project.
        seconds: that yosys took for this report, when it was made; None where it is not known.
        reused: the report was there already, for the same sources, parameters, memory files and tool.
    """

    name: str
    kind: str
    predicted: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    reported: Mapping[str, float]
    report: str
    seconds: float | None
    reused: bool

    def inside(self, resource: str) -> bool | None:
        """Whether the reported count lies in the interval, in whole blocks; None where there is none."""
        found = self.reported.get(resource)
        return (
            found
            if found is None
            else floor(self.low[resource]) <= found <= ceil(self.high[resource])
        )


def ends(predicted: UnitEstimate) -> dict[str, dict[str, float]]:
    """Return a prediction and its interval as the fields of `SynthesisedUnit`."""
    return {
        "predicted": asdict(predicted.expected),
        "low": asdict(predicted.low),
        "high": asdict(predicted.high),
    }


@dataclass(frozen=True)
class Synthesis:
    """What was synthesised: by what, for what.

    Attributes:
        design: digest.
        tool: "yosys 0.70".
        stage: what its counts are.
        family: "xc7" or "xcup" of `synth_xilinx`; `Board.family` for HLS.
        part: of the project.
        predicted_by: the cost model.
        runs: of yosys; units that are the same share one.
        units: in stream order, then the whole design.
        clock_ns: period that the tool says is met; None where it was not asked.
    """

    design: str
    tool: str
    stage: str
    family: str
    part: str
    predicted_by: str
    runs: int
    units: tuple[SynthesisedUnit, ...]
    clock_ns: float | None = None


def estimates(units: Sequence[Unit], model: CostModel) -> list[UnitEstimate]:
    """Return what a cost model says about units, and last about all of them together.

    The interval of all of them is that of independent errors where the model knows them to be so. Else the ends
    are added, as in a search, where they are to be a bound.
    """
    prices = price(units, model)
    total = prices.sum(axis=0)
    if isinstance(model, LearnedModel) and model.independent:
        expected, low, high = np.moveaxis(prices, 1, 0)
        down, up = (np.sqrt(((end - expected) ** 2).sum(axis=0)) for end in (low, high))
        total = np.stack([total[0], total[0] - down, total[0] + up])
    return [UnitEstimate(*(Resources(*end) for end in row.tolist())) for row in (*prices, total)]


def device_family(part: str) -> str:
    """Return the `Board.family` of a part.

    Raises:
        UsageError: the part is of no family that the tools and cost models here know.
    """
    family = family_of(part)
    if family is None:
        msg = (
            f"the part must be of {' or '.join(synth_yosys.FAMILIES)}, {part} is of neither; emit the"
            " design for another board"
        )
        raise UsageError(msg)
    return family
