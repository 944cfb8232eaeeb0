"""Fit `coefficients/yosys-rtl-*.json` to the sweep of Verilog units through yosys.

Run `python -m cost_models._fit_yosys` (`make calibration-data` makes the records, in
`calibration_data/yosys-rtl.jsonl`). Only the split "sweep" is learned; the others judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cost_models import _judge_yosys, _sweep, learned
from cost_models._judge_yosys import Row
from cost_models._learn_yosys import FAMILIES, model, surprises
from cost_models._sweep import SweepRecord

OUTPUT = Path(__file__).parent / "coefficients"


def fitted(records: Sequence[SweepRecord], family: str) -> tuple[learned.LearnedModel, list[Row]]:
    """Return the model of a family, and its errors on what it has not seen.

    Args:
        records: of all splits and families.
        family: `Board.family`.
    """
    name = FAMILIES[family]
    sweep = [r for r in records if r.split == "sweep" and r.family in ("xc7", name)]
    others = [r for r in records if r.split != "sweep"]
    crossed = surprises(sweep)
    found = model(sweep, family, {key: s.reach(name) for key, s in crossed.items()})
    rows = [
        *_judge_yosys.of_units(sweep, name, crossed),
        *_judge_yosys.of_others(others, sweep, name, found),
    ]
    return replace(found, facts=facts(sweep, name) | {"held_out": _judge_yosys.facts(rows)}), rows


def facts(records: Sequence[SweepRecord], family: str) -> dict[str, Any]:
    """Return what a model's file says about where it is from."""
    lines = "\n".join(sorted(r.to_line() for r in records))
    own = [r for r in records if r.family == family]
    versions = {r.tool.removeprefix("yosys ") for r in own}
    return {
        "tool": "yosys",
        "tool_version": ", ".join(sorted(versions)),
        "part": f"any of family {family}: synth_xilinx maps to its cells, not to a part",
        "stage": "synth",
        "errors_of_units": learned.INDEPENDENT,
        "source": "units of hw_templates/rtl with random integers, out of context"
        " (cost_models/calibration_data/yosys-rtl.jsonl)",
        "data_digest": hashlib.sha256(lines.encode()).hexdigest()[:16],
        "records": len(own),
        "records_of_other_families": len(records) - len(own),
    }


def main() -> None:
    """Fit, print what held-out records say, and write the models."""
    records = _sweep.read()
    for family, name in FAMILIES.items():
        found, rows = fitted(records, family)
        print(name, *_judge_yosys.shown(rows), sep="\n")
        path = OUTPUT / learned.FILES["yosys-rtl"][family]
        path.write_text(learned.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
