"""Held-out errors and intervals of `yosys-rtl` on the synthesised Verilog units that ship with it.

`python benchmarks/cost_model_yosys.py`, two minutes on one core; `cost_model.py` runs it, too. Errors are
|predicted / actual - 1| in percent: median (90th percentile); "inside" is the share in the 90 % interval.
The errors of the units of a design are taken for independent; a search adds the ends of their intervals.
10-fold: every unit of the sweep is asked of models that learned nine tenths without it, and its interval is
that of the other folds. Units of other layer shapes and whole designs were never learned. Boosting has
the numbers of a unit and no prior.
"""

from __future__ import annotations

from collections.abc import Sequence

from cost_models import _fit_yosys, _judge_yosys, _sweep
from cost_models._learn_yosys import FAMILIES
from cost_models._model import CostModel
from cost_models._sweep import SweepRecord
from dse.folding.estimate import price


def inside_if_added(records: Sequence[SweepRecord], model: CostModel, resource: int) -> list[bool]:
    """Whether designs lie between the sums of the ends of their units, as a search takes them."""
    found = []
    for r in records:
        _, low, high = price(r.units, model).sum(axis=0)[:, resource]
        found.append(bool(low <= r.actual[_judge_yosys.SHOWN[resource]] <= high))
    return found


def main() -> None:
    records = _sweep.read()
    for device, family in FAMILIES.items():
        own = [r for r in records if r.family == family]
        learned = sum(r.split == "sweep" for r in own)
        seconds = sum(r.seconds for r in own) / 60
        print(f"\n  yosys-rtl, {family}: {learned} units learned; {seconds:.0f} minutes of yosys")
        model, rows = _fit_yosys.fitted(records, device)
        print(*_judge_yosys.shown(rows), sep="\n")
        designs = [r for r in own if r.split == "design"]
        for i, resource in enumerate(("lut", "ff")):
            inside = inside_if_added(designs, model, i)
            print(f"{resource} of whole designs, ends added: {sum(inside)} of {len(inside)} inside")


if __name__ == "__main__":
    main()
