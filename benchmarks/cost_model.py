"""Held-out errors and intervals of the cost models on real Vivado results of FINN modules.

`python benchmarks/cost_model.py [finn_submodules.csv.gz]`, some five minutes on one core. Errors are
|predicted / actual - 1| in percent over distinct configurations: median, 90th percentile; then the
share inside the interval that is to hold 90 %. A network that is left out was seen by nothing:
neither analytic factors and bands, nor kernels, corrections and intervals. Networks count alike.

After n designs: n builds of the network left out are given as `dse calibrate` gets them, and what
it would write is asked for all other configurations and builds.
"""

from __future__ import annotations

import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cost_model_shift
import cost_model_yosys
import numpy as np
from cost_model_designs import (
    Design,
    Ends,
    designs_of,
    matrix_ends,
    matrix_units,
    other_ends,
    ranks,
    summed,
)
from cost_model_rivals import LEARNERS, finn_formula, on_prior, plain

from cost_models import _fit_analytic, _fit_finn
from cost_models._correction import Correction
from cost_models._fit_analytic import Record
from cost_models._learn import Records, surprise
from cost_models._model import Floats
from cost_models._prior import prior
from cost_models._process import Numbers
from dse.calibration.judge import judged

HOME = Path(__file__).parents[1]
TABLE = Path(os.environ.get("DSE_TABLES") or HOME.parent / "shared/data/tables")
DESIGNS = (0, 2, 5, 10)  # calibration designs of the left-out network
CHOICES = 5  # random choices of them
FOLDS = 5
OURS = "ours"
Found = dict[str, list[tuple[Floats, Floats]]]  # name -> per network errors, and what is inside
NONE: Floats = np.zeros(0)


def show(found: Mapping[str, Sequence[tuple[Floats, Floats]]]) -> None:
    """Print a line per predictor, ours last."""
    for name in sorted(found, key=lambda n: (n == OURS, n)):
        wrong, inside = zip(*found[name], strict=True)
        if any(np.isnan(e).any() for e in wrong):
            continue
        median, p90, mean = (
            np.mean([100 * f(e) for e in wrong])
            for f in (np.median, lambda e: np.quantile(e, 0.9), np.mean)
        )
        cover = (
            ""
            if not len(inside[0])
            else f"  inside {100 * np.mean([i.mean() for i in inside]):3.0f} %"
        )
        print(f"{name:>22}: median {median:5.1f}  p90 {p90:6.1f}  mean {mean:5.1f}{cover}")


def error(predicted: Floats, actual: Floats) -> Floats:
    return np.abs(predicted / actual - 1)


def asked_of(model: Correction, records: Records) -> tuple[Floats, Floats]:
    """Return errors of a correction, and what lies inside its interval."""
    missed, scaled = surprise(model, records)
    return np.abs(np.expm1(-missed)), np.abs(scaled) <= model.reach


def calibrated(base: Correction, records: Records, designs: Numbers) -> Correction:
    """Return what `dse calibrate` makes of a correction."""
    missed, scaled = surprise(base, records)
    inside = np.abs(scaled) <= base.reach
    verdict, after, same = judged("matrix", "", base, (missed, inside), records, designs)
    if verdict.improved:
        return after
    return same if verdict.widened else base


def five_fold(group: Sequence[Record], resource: str) -> None:
    """Configurations left out, networks known; our interval is that of a known network."""
    actual = np.array([r.actual[resource] for r in group])
    order = np.random.default_rng(0).permutation(len(group))
    found: dict[str, list[tuple[Floats, Floats]]] = defaultdict(list)
    for fold in range(FOLDS):
        test = order[fold::FOLDS]
        train = np.setdiff1d(order, test)
        kinds = _fit_finn.factors([group[i] for i in train], resource)
        correction = _fit_finn.fit([group[i] for i in train], resource, kinds)
        records = _fit_finn.to_learn(group, resource, kinds)
        for number, network in enumerate(correction.targets):
            own = np.array([i for i in test if group[i].network == network])
            known = replace(correction, process=replace(correction.process, predicted=number))
            found[OURS].append(asked_of(known, records[own]))
        formula = np.array([finn_formula(group[i], resource) for i in test])
        found["FINN formula"].append((error(formula, actual[test]), NONE))
        for name in ("ridge", "boosting"):
            predicted = plain(group, resource, train, test, LEARNERS[name])
            found[f"{name}, no prior"].append((error(predicted, actual[test]), NONE))
    show({n: [tuple(np.concatenate(c) for c in zip(*f, strict=True))] for n, f in found.items()})  # type: ignore[misc]


def choices(
    designs: Sequence[Design], own: Numbers, count: int
) -> Iterator[tuple[Numbers, Numbers, list[int], Numbers]]:
    """Yield what is known and asked of a network.

    Configurations known, the design each is from, and the other designs and configurations.
    """
    for seed in range(CHOICES if count else 1):
        drawn = random.Random(seed).sample(range(len(designs)), count)
        rows = [np.unique(designs[i].matrix) for i in drawn]
        known, first = np.unique(np.concatenate([*rows, own[:0]]), return_index=True)
        of = np.concatenate([*(np.full(len(r), i) for i, r in enumerate(rows)), own[:0]])[first]
        rest = [i for i in range(len(designs)) if i not in drawn]
        yield known, of, rest, np.setdiff1d(own, known)


def network_out(
    group: Sequence[Record],
    found: Mapping[str, Sequence[Record]],
    resource: str,
    designs: Mapping[str, Sequence[Design]],
    held: Sequence[_fit_finn.Fold],
) -> None:
    """A network left out, then some of its designs given; units, and whole designs."""
    actual = np.array([r.actual[resource] for r in group])
    formula = np.array([finn_formula(r, resource) for r in group])
    for count in DESIGNS:
        units: Found = defaultdict(list)
        wholes: Found = defaultdict(list)
        notes = []
        for fold in held:
            own = np.array(fold.rows)
            others = np.setdiff1d(np.arange(len(group)), own)
            seen = [group[i] for i in others]
            kinds = _fit_finn.factors(seen, resource)
            ratios = _fit_finn.to_learn(group, resource, kinds)
            priors = matrix_units(group, kinds)
            band = _band(seen, resource)
            rest_ends = other_ends(found, fold.network, resource)
            rest_plain = _plain_others(found, fold.network, resource)
            per: Found = defaultdict(list)
            per_whole: Found = defaultdict(list)
            for known, of, left, asked in choices(designs[fold.network], own, count):
                model = fold.correction
                if count:
                    model = calibrated(model, ratios[known], of)
                train = np.concatenate([others, known])
                analytic = np.array([float(u.totals[resource]) for u in priors])
                inside = (analytic * band[0] <= actual) & (actual <= analytic * band[1])
                learned = {
                    f"{n}, no prior": plain(
                        group, resource, train, np.arange(len(group)), LEARNERS[n]
                    )
                    for n in ("ridge", "boosting")
                }
                if len(asked):
                    per[OURS].append(asked_of(model, ratios[asked]))
                    per["analytic"].append((error(analytic, actual)[asked], inside[asked]))
                    per["FINN formula"].append((error(formula, actual)[asked], NONE))
                    for name, values in learned.items():
                        per[name].append((error(values, actual)[asked], NONE))
                    log = on_prior(ratios[train], ratios[asked], LEARNERS["boosting"])
                    wrong = np.abs(np.expm1(log - ratios.ratio[asked]))
                    per["boosting on prior"].append((wrong, NONE))
                builds = [designs[fold.network][i] for i in left]
                predictors: dict[str, Mapping[str, Ends]] = {
                    OURS: {"matrix": matrix_ends(model, priors, resource), **rest_ends},
                    "analytic": {
                        "matrix": (analytic, analytic * band[0], analytic * band[1]), **rest_ends
                    },
                    "FINN formula": _exactly({"matrix": formula} | {
                        k: np.array([finn_formula(r, resource) for r in found[k]]) for k in rest_ends
                    }),
                    **{n: _exactly({"matrix": v} | rest_plain[n]) for n, v in learned.items()},
                }  # fmt: skip
                truth = np.array([b.actual[resource] for b in builds])
                for name, ends in predictors.items():
                    total = summed(builds, ends)
                    within = (total[:, 1] <= truth) & (truth <= total[:, 2])
                    claims = name in (OURS, "analytic")
                    per_whole[name].append((error(total[:, 0], truth), within if claims else NONE))
                    if name == OURS and not count:
                        note = f"{100 * np.median(error(total[:, 0], truth)):.1f}"
                        notes.append(f"{fold.network} {note} {ranks(total[:, 0], truth):.3f}")
            for target, source in ((units, per), (wholes, per_whole)):
                for name, values in source.items():
                    target[name].append(tuple(np.concatenate(c) for c in zip(*values, strict=True)))  # type: ignore[arg-type]
        print(
            f"  {resource.upper()} of matrix units, after {count} designs of the network left out"
        )
        show(units)
        means = (
            f"{f.network} {100 * u[0].mean():.1f}" for f, u in zip(held, units[OURS], strict=True)
        )
        print(f"{'ours, mean %':>22}: " + ", ".join(means))
        print(
            f"  {resource.upper()} of whole designs, after {count} designs of the network left out"
        )
        show(wholes)
        if notes:
            print(f"{'median %, rank corr.':>22}: " + ", ".join(notes))


def _exactly(values: Mapping[str, Floats]) -> dict[str, Ends]:
    return {k: (v, v, v) for k, v in values.items()}


def _band(seen: Sequence[Record], resource: str) -> tuple[float, float]:
    """Return the analytic band that networks say which were seen."""
    parts = [getattr(_fit_analytic.decomposed(r.unit), resource) for r in seen]
    actual = np.array([r.actual[resource] for r in seen])
    names = [r.network for r in seen]
    ratio = _fit_analytic.held_out(parts, actual, names, _fit_analytic.PRIOR["matrix"][resource])
    low, high = _fit_analytic.banded(ratio, names)["band"]
    return low, high


def _plain_others(
    found: Mapping[str, Sequence[Record]], network: str, resource: str
) -> dict[str, dict[str, Floats]]:
    """Return what regressions without prior say of windows and FIFOs."""
    result: dict[str, dict[str, Floats]] = {}
    for name in ("ridge", "boosting"):
        for kind in ("window", "fifo"):
            group = found[kind]
            train = np.array([i for i, r in enumerate(group) if r.network != network])
            values = plain(group, resource, train, np.arange(len(group)), LEARNERS[name])
            result.setdefault(f"{name}, no prior", {})[kind] = values
    return result


def counted(group: Sequence[Record], designs: Sequence[Design], resource: str) -> None:
    """DSPs and block RAM: nothing is fitted but the band, which is of the other networks."""
    actual = np.array([r.actual[resource] for r in group])
    names = np.array([r.network for r in group])
    units = matrix_units(group, prior(_fit_finn.FAMILY).kinds)
    expected = np.array([float(u.totals[resource]) for u in units])
    formula = np.array([finn_formula(r, resource) for r in group])
    units_found: Found = defaultdict(list)
    wholes: Found = defaultdict(list)
    for network in sorted(set(names)):
        own, used = names == network, actual > 0
        rows = np.flatnonzero(own & used)
        if not len(rows):
            continue
        fitted = ~own & (expected > 0)
        ratio = actual[fitted] / expected[fitted]
        low, high = _fit_analytic.banded(ratio, names[fitted].tolist())["band"]
        ridge = plain(
            group, resource, np.flatnonzero(~own), np.arange(len(group)), LEARNERS["ridge"]
        )
        inside = (expected * low <= actual) & (actual <= expected * high)
        units_found[OURS].append((error(expected[rows], actual[rows]), inside[rows]))
        units_found["FINN formula"].append((error(formula[rows], actual[rows]), NONE))
        units_found["ridge, no prior"].append((error(ridge[rows], actual[rows]), NONE))
        builds = [d for d in designs if d.network == network and d.actual[resource]]
        truth = np.array([b.actual[resource] for b in builds])
        ends = {OURS: (expected, expected * low, expected * high)}
        ends |= {"FINN formula": (formula,) * 3, "ridge, no prior": (ridge,) * 3}
        for name, own_ends in ends.items():
            total = summed(builds, {"matrix": own_ends})
            within = (total[:, 1] <= truth) & (truth <= total[:, 2])
            wholes[name].append((error(total[:, 0], truth), within if name == OURS else NONE))
    print(f"  {resource.upper()} of matrix units that have any")
    show(units_found)
    print(f"  {resource.upper()} of whole designs that have any")
    show(wholes)


def other_units(found: Mapping[str, Sequence[Record]]) -> None:
    """Windows and FIFOs: the analytic model serves them, its factors and bands without the network."""
    for kind in ("window", "fifo"):
        group = found[kind]
        names = np.array([r.network for r in group])
        for resource in ("lut", "ff"):
            actual = np.array([r.actual[resource] for r in group])
            formula = np.array([finn_formula(r, resource) for r in group])
            lines: Found = defaultdict(list)
            for network in sorted(set(names)):
                own = np.flatnonzero(names == network)
                expected, low, high = (e[own] for e in other_ends(found, network, resource)[kind])
                truth = actual[own]
                lines[OURS].append((error(expected, truth), (low <= truth) & (truth <= high)))
                lines["FINN-like formula"].append((error(formula[own], truth), NONE))
                for name, values in _plain_others(found, network, resource).items():
                    lines[name].append((error(values[kind][own], truth), NONE))
            print(
                f"  {resource.upper()} of {kind}s, {len(group)} records, network left out (ours: analytic)"
            )
            show(lines)


def main(table: Path) -> None:
    found = _fit_finn.modules(table)
    group = found["matrix"]
    builds = designs_of(table, found)
    designs: dict[str, list[Design]] = defaultdict(list)
    for build in builds:
        designs[build.network].append(build)
    print(f"matrix units: {len(group)} distinct configurations of {len(designs)} networks; percent")
    print("whole designs: " + ", ".join(f"{n} {len(d)}" for n, d in sorted(designs.items())))
    for resource in _fit_finn.RESOURCES:
        print(f"\n  {resource.upper()} of matrix units, 5-fold by configuration")
        five_fold(group, resource)
        held = _fit_finn.crossed(list(_fit_finn.folds(group, resource, _fit_finn.one_out(group))))
        network_out(group, found, resource, designs, held)
    print()
    for resource in ("dsp", "bram18"):
        counted(group, builds, resource)
    other_units(found)
    cost_model_shift.main()
    cost_model_yosys.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE / "finn_submodules.csv.gz")
