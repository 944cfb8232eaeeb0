"""A cost model before and after it saw some reports of another target, the rest being asked.

`python benchmarks/cost_model_shift.py` prints the curves; `cost_model.py` does so too. What is
calibrated is what `dse calibrate` would write: a correction is kept only where held-out reports
show a gain. Every figure is the mean of several random choices of the reports that are given.

Targets, none of which the base model has seen:

* FINN's HLS matrix unit, Vivado 2020.1, Ultra96 part (78 modules of the FINN-MVU paper's sweeps);
* FINN's Verilog matrix unit in the same sweeps: another implementation altogether;
* the campaign of 2025 of the module table, base fitted to that of 2026 (the part or tool differs in
  ways that the source does not state);
* our own Verilog units, yosys 0.70, 7 series and UltraScale+.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cost_models import _fit_finn, _sweep, learned
from cost_models._fit_analytic import records as modules
from cost_models._prior import prior
from cost_models.learned import LearnedModel
from dse.calibration.calibrate import calibrate
from dse.calibration.records import Origin, SynthesisRecord, distinct
from dse.ir.units import MatrixUnit

HOME = Path(__file__).parents[1]
TABLES = Path(os.environ.get("DSE_TABLES") or HOME.parent / "shared/data/tables")
GIVEN = (10, 30, 100)
ASKED = 15  # records at least that must be left to ask
DRAWS = 5
RESOURCES = ("lut", "ff")
BITS = {"xnor": (1, 1), "binary_weight": (1, 4), "standard_4bit": (4, 4)}
FAMILIES = {"xc7": "7series", "xcup": "ultrascale+"}


@dataclass(frozen=True)
class Target:
    """Reports of a target, and the model that knows only others."""

    name: str
    base: LearnedModel
    records: tuple[SynthesisRecord, ...]


def sweeps(implementation: str) -> tuple[SynthesisRecord, ...]:
    """Return the modules of the FINN-MVU sweeps; their weights come from outside and count nowhere."""
    found = []
    with (TABLES / "finn_mvu_sweeps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["impl"] != implementation:
                continue
            weight, data = BITS[row["type"]]
            size, kernel = int(row["ifm_dim"]), int(row["kdim"])
            unit = MatrixUnit(
                layer="",
                mh=int(row["ofm_ch"]),
                mw=int(row["ifm_ch"]) * kernel**2,
                vectors=(size - kernel + 1) ** 2,
                pe=int(row["pe"]),
                simd=int(row["simd"]),
                weight_bits=weight,
                input_bits=data,
                input_signed=data == 1,
                output_bits=0,
                memory="bram",
                compute="lut",
            )
            actual = {"lut": float(row["LUT"]), "ff": float(row["FF"])}
            origin = Origin("vivado", "synth", "finn")
            found.append(
                SynthesisRecord(row["sweep"], "", unit, actual, origin, "2020.1", row["part"])
            )
    return distinct(found)


def campaigns() -> Target:
    """Return the campaign of 2025 and a model fitted to that of 2026."""
    with gzip.open(TABLES / "finn_submodules.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    groups = [
        modules([r for r in rows if r["source"].endswith(year)])["matrix"]
        for year in ("2026", "2025")
    ]
    kinds = prior(_fit_finn.FAMILY).kinds
    corrections = {r: _fit_finn.fit(groups[0], r, kinds) for r in RESOURCES}
    base = LearnedModel(_fit_finn.FAMILY, "2026", "finn", {}, {"matrix": corrections})
    origin = Origin("vivado", "synth", "finn")
    records = [SynthesisRecord(r.network, "", r.unit, r.actual, origin) for r in groups[1]]
    return Target("FINN HLS units, 2025", base, distinct(records))


def verilog(family: str) -> tuple[SynthesisRecord, ...]:
    """Return our units as yosys built them."""
    return distinct(
        SynthesisRecord(
            r.name, "", r.units[0], r.actual, Origin("yosys", "synth", "dse"), r.tool, family
        )
        for r in _sweep.read()
        if r.family == family and r.split != "design"
    )


def targets() -> Iterator[Target]:
    """Yield what there is."""
    if (TABLES / "finn_mvu_sweeps.csv").is_file():
        base = learned.named(learned.SHIPPED, "ultrascale+")
        yield Target("FINN HLS units, 2020.1, zu3eg", base, sweeps("hls"))
        yield Target("FINN Verilog units, 2020.1, zu3eg", base, sweeps("rtl"))
        yield campaigns()
    for short, family in FAMILIES.items():
        if records := verilog(short):
            yield Target(f"our Verilog, yosys, {short}", learned.named("analytic", family), records)


def errors(
    model: LearnedModel, records: Iterable[SynthesisRecord], resource: str
) -> tuple[float, float, float]:
    """Return median and 90th percentile of |predicted / actual - 1|, and the share inside."""
    found, inside = [], []
    for record in records:
        p, actual = model.predict(record.unit), record.actual[resource]
        expected, low, high = (float(getattr(e, resource)) for e in (p.expected, p.low, p.high))
        if actual:
            found.append(abs(expected / actual - 1))
            inside.append(low <= actual <= high)
    return float(np.median(found)), float(np.quantile(found, 0.9)), float(np.mean(inside))


def curve(target: Target) -> None:
    """Print a line per resource and number of reports."""
    print(f"  {target.name}: {len(target.records)} configurations, base {target.base.name}")
    print(f"{'':6}{'given':>6}{'before':>16}{'inside':>8}{'after':>16}{'inside':>8}{'kept':>6}")
    for resource in RESOURCES:
        for count in GIVEN:
            if len(target.records) < count + ASKED:
                continue
            before, after, kept = [], [], 0
            for seed in range(DRAWS):
                order = np.random.default_rng(seed).permutation(len(target.records))
                given = [target.records[i] for i in order[:count]]
                asked = [target.records[i] for i in order[count:]]
                result = calibrate(given, target.base, name="calibrated")
                before.append(errors(target.base, asked, resource))
                after.append(errors(result.model, asked, resource))
                kept += any(v.improved for v in result.verdicts if v.resource == resource)
            print(f"{resource.upper():>6}{count:6}{_shown(before)}{_shown(after)}{kept:4}/{DRAWS}")


def _shown(found: Sequence[tuple[float, float, float]]) -> str:
    median, p90, inside = 100 * np.mean(found, axis=0)
    return f"{median:8.1f} ({p90:4.0f}) {inside:6.0f} %"


def main() -> None:
    print("\nshifted targets: median (p90) error in percent, share inside the 90 % interval")
    for target in targets():
        curve(target)


if __name__ == "__main__":
    main()
