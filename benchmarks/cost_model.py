"""Held-out errors of the cost models on real Vivado results of FINN modules.

`python benchmarks/cost_model.py [finn_submodules.csv.gz]`, a few minutes on one core. Percentages
are |predicted / actual - 1| over distinct configurations: median and 90th percentile. A network
that is left out was seen by nothing: neither the analytic factors, nor kernels, nor corrections.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cost_models import _finn, _fit_analytic, _fit_finn
from cost_models._correction import Correction
from cost_models._fit_analytic import Record
from cost_models._learn import Records, learned, surprise
from cost_models._model import Floats
from cost_models._prior import priced, prior
from cost_models._process import Numbers
from dse.calibration.records import nameless
from dse.calibration.table import read_table
from dse.ir.units import MatrixUnit, Unit

HOME = Path(__file__).parents[1]
TABLE = Path(os.environ.get("DSE_TABLES") or HOME.parent / "shared/data/tables")
DESIGNS = (0, 2, 5, 10)  # calibration designs of the left-out network
CHOICES = 5  # random choices of them that are averaged
FOLDS = 5
SWEEP = 16
Learner = Callable[[], object]
LEARNERS: Mapping[str, Learner] = {
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge(1.0)),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=150, max_depth=3, random_state=0),
    "small net": lambda: make_pipeline(
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(32, 32), alpha=0.1, solver="lbfgs", max_iter=300, random_state=0
        ),
    ),
}


def features(unit: Unit) -> list[float]:
    """What a regression without prior gets: logarithms of the numbers, and the styles."""
    assert isinstance(unit, MatrixUnit)
    numbers = (unit.mh, unit.mw, unit.pe, unit.simd, unit.weight_bits, unit.input_bits)
    return [
        *(float(np.log2(n)) for n in numbers),
        float(np.log2(1 + unit.output_bits)),
        float(unit.memory == "lutram"),
        float(unit.compute == "dsp"),
        float(unit.popcount),
    ]


def finn_formula(record: Record, resource: str) -> float:
    """FINN's own estimate; it has none for flip-flops."""
    u = record.unit
    assert isinstance(u, MatrixUnit)
    if resource == "lut":
        lut = u.compute == "lut"
        acc = _finn.mvau_acc_bits(u.mw, u.weight_bits, u.input_bits, input_signed=u.input_signed)
        terms = _finn.mvau_lut(
            u.pe, u.simd, u.weight_bits, u.input_bits, acc, u.output_bits, u.mh // u.pe, u.depth,
            lut_multipliers=lut, lut_weights=u.memory == "lutram",
        )  # fmt: skip
        return float(terms.total)
    if resource == "dsp":
        on = u.compute == "dsp"
        return on * float(_finn.mvau_dsp(u.pe, u.simd, u.weight_bits, u.input_bits))
    if resource == "bram18":
        blocks = _finn.bram18(u.pe * u.simd * u.weight_bits, u.depth)
        return float(blocks) * (u.memory == "bram")
    return float("nan")


def error(predicted: Floats, actual: Floats) -> Floats:
    return np.abs(predicted / actual - 1)


def shown(name: str, errors: Sequence[Floats], inside: Sequence[float] = ()) -> str:
    """One column: median and 90th percentile, every network (or fold) counting alike."""
    if not errors or np.isnan(errors[0]).any():
        return f"{name:>22}: " + "-".rjust(15)
    values = [
        np.mean([100 * f(e) for e in errors])
        for f in (np.median, lambda e: np.quantile(e, 0.9), np.mean)
    ]
    cover = f"  inside 90 % {100 * np.mean(inside):3.0f} %" if len(inside) else ""
    return (
        f"{name:>22}: median {values[0]:5.1f}  p90 {values[1]:6.1f}  mean {values[2]:5.1f}{cover}"
    )


def plain(
    group: Sequence[Record], actual: Floats, train: Numbers, test: Numbers, learner: Learner
) -> Floats:
    """A regression of log(actual) on features, without prior."""
    x = np.array([features(r.unit) for r in group])
    y = np.log(np.maximum(actual, 0.5))
    model = learner()
    model.fit(x[train], y[train])  # type: ignore[attr-defined]
    predicted: Floats = np.exp(model.predict(x[test]))  # type: ignore[attr-defined]
    return error(predicted, actual[test])


def on_prior(
    known: Records, asked: Records, learner: Learner, extra: tuple[Floats, Floats]
) -> Floats:
    """Another learner in the place of the Gaussian process: log(actual / prior) on features."""
    model = learner()
    model.fit(np.hstack([extra[0], known.share]), known.ratio)  # type: ignore[attr-defined]
    found = model.predict(np.hstack([extra[1], asked.share]))  # type: ignore[attr-defined]
    wrong: Floats = np.abs(np.expm1(found - asked.ratio))
    return wrong


def process(correction: Correction, asked: Records) -> tuple[Floats, float]:
    missed, scaled = surprise(correction, asked)
    return np.abs(np.expm1(-missed)), float(np.mean(np.abs(scaled) <= correction.reach))


def five_fold(group: Sequence[Record], resource: str) -> None:
    """Configurations left out, networks known."""
    actual = np.array([r.actual[resource] for r in group])
    order = np.random.default_rng(0).permutation(len(group))
    found: dict[str, list[Floats]] = defaultdict(list)
    inside = []
    for fold in range(FOLDS):
        test = order[fold::FOLDS]
        train = np.setdiff1d(order, test)
        seen = [group[i] for i in train]
        kinds = _fit_finn.factors(seen, resource)
        correction = _fit_finn.fit(seen, resource, kinds)
        for network in sorted({group[i].network for i in test}):
            part = [group[i] for i in test if group[i].network == network]
            known = replace(
                correction,
                process=replace(correction.process, predicted=correction.targets.index(network)),
            )
            wrong, covered = process(known, _fit_finn.to_learn(part, resource, kinds))
            found["ours"].append(wrong)
            inside.append((covered, len(part)))
        found["FINN formula"].append(
            error(np.array([finn_formula(group[i], resource) for i in test]), actual[test])
        )
        found["ridge, no prior"].append(plain(group, actual, train, test, LEARNERS["ridge"]))
        found["boosting, no prior"].append(plain(group, actual, train, test, LEARNERS["boosting"]))
    joined = [np.concatenate(found["ours"])]
    share, count = np.array(inside).T
    for name in ("FINN formula", "ridge, no prior", "boosting, no prior"):
        print(shown(name, [np.concatenate(found[name])]))
    print(shown("ours", joined, [float(share @ count / count.sum())]))


def network_out(
    group: Sequence[Record],
    resource: str,
    builds: Mapping[str, list[Numbers]],
    held: Sequence[_fit_finn.Fold],
) -> None:
    """A network left out, then some of its designs given, tested on configurations not in them."""
    actual = np.array([r.actual[resource] for r in group])
    feature = np.array([features(r.unit) for r in group])
    for count in DESIGNS:
        found: dict[str, list[Floats]] = defaultdict(list)
        inside = []
        for fold in held:
            own = np.array(fold.rows)
            others = np.setdiff1d(np.arange(len(group)), own)
            kinds = _fit_finn.factors([group[i] for i in others], resource)
            ratios = _fit_finn.to_learn(group, resource, kinds)
            per: dict[str, list[Floats]] = defaultdict(list)
            cover = []
            for known, asked in choices(builds[fold.network], own, count):
                train = np.concatenate([others, known])
                model = fold.correction
                if len(known):
                    model = learned(model, ratios[known], fold.network)
                wrong, covered = process(model, ratios[asked])
                per["ours"].append(wrong)
                cover.append(covered)
                per["analytic"].append(np.abs(np.expm1(-ratios.ratio[asked])))
                per["FINN formula"].append(
                    error(
                        np.array([finn_formula(group[i], resource) for i in asked]), actual[asked]
                    )
                )
                extra = (feature[train], feature[asked])
                for name, learner in LEARNERS.items():
                    if name != "small net":
                        per[f"{name}, no prior"].append(plain(group, actual, train, asked, learner))
                    if name != "ridge":
                        per[f"{name} on prior"].append(
                            on_prior(ratios[train], ratios[asked], learner, extra)
                        )
            for name, values in per.items():
                found[name].append(np.concatenate(values))
            inside.append(float(np.mean(cover)))
        print(f"  {resource.upper()}, after {count} designs of the network left out")
        for name in sorted(found, key=lambda n: (n == "ours", n)):
            print(shown(name, found[name], inside if name == "ours" else ()))
        by_network = (
            f"{f.network} {100 * e.mean():.1f}" for f, e in zip(held, found["ours"], strict=True)
        )
        print(f"{'ours, mean %':>22}: " + ", ".join(by_network))


def choices(
    builds: Sequence[Numbers], own: Numbers, count: int
) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield (configurations of some designs, all others of the network)."""
    for seed in range(CHOICES if count else 1):
        drawn = random.Random(seed).sample(list(builds), count)
        known = np.unique(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.int64)
        asked = np.setdiff1d(own, known)
        if len(asked):
            yield known, asked


def counted(group: Sequence[Record], resource: str) -> None:
    """DSPs and block RAM: no factor was fitted, so nothing is left out."""
    used = [r for r in group if r.actual[resource]]
    actual = np.array([r.actual[resource] for r in used])
    kinds = prior(_fit_finn.FAMILY).kinds
    ours = [priced(r.unit, "finn", kinds).totals[resource] for r in used]
    every = np.array([r.actual[resource] for r in group])
    missed: list[Floats] = []
    for out in _fit_finn.one_out(group):
        test = np.array([i for i, r in enumerate(group) if r.network in out and r.actual[resource]])
        train = np.array([i for i, r in enumerate(group) if r.network not in out])
        if len(test):
            missed.append(plain(group, every, train, test, LEARNERS["ridge"]))
    print(f"  {resource.upper()}, {len(used)} units that have any")
    print(shown("ridge, no prior", missed))
    formula = np.array([finn_formula(r, resource) for r in used])
    print(shown("FINN formula", [error(formula, actual)]))
    print(shown("ours (counted)", [error(np.array([float(o) for o in ours]), actual)]))


def other_units(found: Mapping[str, Sequence[Record]]) -> None:
    """Windows and FIFOs: the analytic model serves them, its factors without the network."""
    for kind in ("window", "fifo"):
        for resource in ("lut", "ff"):
            group = found[kind]
            parts = [getattr(_fit_analytic.decomposed(r.unit), resource) for r in group]
            actual = np.array([r.actual[resource] for r in group])
            names = [r.network for r in group]
            start = _fit_analytic.PRIOR[kind][resource]
            ratio = _fit_analytic.held_out(parts, actual, names, start)
            formula = _fit_analytic.predict(parts, {n: start.get(n, 1.0) for n in parts[0]})
            print(f"  {kind} {resource.upper()}, {len(group)} records, network left out")
            print(shown("FINN-like formula", [error(formula, actual)]))
            print(shown("analytic", [np.abs(1 / ratio - 1)]))


def designs_and_ranks(
    group: Sequence[Record], builds: Mapping[str, list[Numbers]], held: Sequence[_fit_finn.Fold]
) -> None:
    """LUTs of all matrix units of a design, uncalibrated; and the order of 16 designs by it."""
    for fold in held:
        own = {row: i for i, row in enumerate(fold.rows)}
        missed, _ = surprise(fold.correction, fold.records)
        actual = np.array([group[i].actual["lut"] for i in fold.rows])
        predicted = actual * np.exp(-missed)
        rows = [[own[i] for i in b] for b in builds[fold.network]]
        guess, truth = (np.array([v[r].sum() for r in rows]) for v in (predicted, actual))
        ranks = []
        for seed in range(CHOICES):
            drawn = np.random.default_rng(seed).permutation(len(truth))[:SWEEP]
            order = [v[drawn].argsort().argsort() for v in (guess, truth)]
            ranks.append(np.asarray(np.corrcoef(order))[0, 1])
        wrong = error(guess, truth)
        print(
            f"  {fold.network:<12} {len(truth):3} designs: median {100 * np.median(wrong):4.1f}"
            f"  p90 {100 * np.quantile(wrong, 0.9):4.1f} %; rank correlation of {SWEEP} designs"
            f" {np.mean(ranks):.3f}"
        )


def builds_of(table: Path, group: Sequence[Record]) -> dict[str, list[Numbers]]:
    """Distinct designs of every network, as rows of `group`."""
    row_of = {(r.network, r.unit): i for i, r in enumerate(group)}
    rows: dict[str, set[int]] = defaultdict(set)
    for record in read_table(table)[0]:
        network = record.design.split("/")[0]
        if (row := row_of.get((network, nameless(record.unit)))) is not None:
            rows[record.design].add(row)
    found: dict[str, list[Numbers]] = defaultdict(list)
    for design in sorted({(d.split("/")[0], tuple(sorted(v))) for d, v in rows.items()}):
        found[design[0]].append(np.array(design[1]))
    return found


def main(table: Path) -> None:
    # the small net stops at its limit of steps on purpose: it fits noise beyond
    warnings.simplefilter("ignore", ConvergenceWarning)
    found = _fit_finn.modules(table)
    group = found["matrix"]
    builds = builds_of(table, group)
    print(f"matrix units: {len(group)} distinct configurations of {len(builds)} networks; %")
    for resource in _fit_finn.RESOURCES:
        print(f"\n  {resource.upper()}, 5-fold by configuration")
        five_fold(group, resource)
        held = _fit_finn.crossed(list(_fit_finn.folds(group, resource, _fit_finn.one_out(group))))
        network_out(group, resource, builds, held)
        if resource == "lut":
            print("\n  LUTs of whole designs (their matrix units), network left out")
            designs_and_ranks(group, builds, held)
    print()
    for resource in ("dsp", "bram18"):
        counted(group, resource)
    other_units(found)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TABLE / "finn_submodules.csv.gz")
