"""What matters: how much of being good at an objective each knob decides, and what the front agrees on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator

from dse.ir.metrics import METRICS
from dse.report.values import ReportView, TrialRow

ENOUGH = 50  # trials with a value; the best tenth of fewer is too small a group to compare
MOST = 1000  # trials looked at, evenly spread; 5,000 of 60 knobs would take 10 s
LEVELS = 12  # a number with more values than this is a range
LEAST = 0.01  # share of an objective from which on a knob is shown
AGREED = 0.75  # share of the front from which on it agrees


@dataclass(frozen=True, slots=True)
class Group:
    """The knobs of one layer, the most important first.

    Attributes:
        layer: its name; empty for knobs that belong to none.
        sums: of the shares of all its knobs, one per objective.
        knobs: knob -> one share per objective.
    """

    layer: str
    sums: tuple[float, ...]
    knobs: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Importance:
    """How much each knob decides, by PED-ANOVA.

    PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023) compares how the values of a knob are distributed in
    the best tenth of the trials and in all of them.

    Attributes:
        objectives: keys of the metrics that have at least `ENOUGH` trials, with the number looked at.
        shares: knob -> one share per objective; those of an objective add up to 1. Most important first.
        missing: keys of objectives with fewer trials, with that number.
        constant: keys of objectives that are the same in all trials.
    """

    objectives: Mapping[str, int]
    shares: Mapping[str, tuple[float, ...]]
    missing: Mapping[str, int]
    constant: tuple[str, ...]

    def by_layer(self) -> tuple[Group, ...]:
        """Return the shares layer by layer, the most important first, knobs of no layer before them.

        A layer without a knob of `LEAST` of any objective is left out.
        """
        groups: dict[str, dict[str, tuple[float, ...]]] = {}
        for knob, shares in self.shares.items():
            groups.setdefault(knob.rpartition(".")[0], {})[knob] = shares
        found = [
            Group(layer, tuple(map(sum, zip(*knobs.values(), strict=True))), knobs)
            for layer, knobs in groups.items()
        ]
        shown = [g for g in found if max(max(s) for s in g.knobs.values()) >= LEAST]
        return tuple(sorted(shown, key=lambda g: (g.layer != "", -sum(g.sums), g.layer)))


@dataclass(frozen=True, slots=True)
class Agreement:
    """A value that most designs of the front have: `front` of `of`; among all priced trials `share`."""

    knob: str
    value: str
    front: int
    of: int
    share: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """The values of one knob on the front and among all priced trials.

    Attributes:
        knob: its name.
        front: designs of the front that have it.
        shares: (value, share of the front, share of all) by value; empty where it is a range of numbers.
        spread: tenth, fiftieth and ninetieth percentile on the front, then those of all; None for choices.
    """

    knob: str
    front: int
    shares: tuple[tuple[str, float, float], ...]
    spread: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None


def importance(view: ReportView) -> Importance:
    """Return what decides each objective, from the trials that have a value of it.

    Trials without the value (no accuracy before training) and those passed over are left out, so nothing
    is learned from invented numbers.
    """
    found: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    missing: dict[str, int] = {}
    constant = []
    for objective in view.objectives:
        key = METRICS[objective.metric].key
        rows = [
            t for t in view.trials if key in t.metrics and t.state in ("feasible", "infeasible")
        ]
        rows = rows[:: -(-len(rows) // MOST) or 1]
        if len(rows) < ENOUGH:
            missing[key] = len(rows)
        elif len({t.metrics[key] for t in rows}) == 1:
            constant.append(key)
        elif shares := _ped_anova(rows, key, objective.direction):
            counts[key] = len(rows)
            found[key] = shares
    knobs = {knob for shares in found.values() for knob in shares}
    table = {k: tuple(shares.get(k, 0.0) for shares in found.values()) for k in knobs}
    ordered = sorted(table.items(), key=lambda item: (-sum(item[1]), item[0]))
    return Importance(counts, dict(ordered), missing, tuple(constant))


def _ped_anova(rows: Sequence[TrialRow], key: str, direction: str) -> dict[str, float]:
    """Return the share of every knob that varies, of one objective; empty where none does."""
    knobs = dict.fromkeys(name for t in rows for name in t.knobs)
    # a knob that only some trials have would be compared on those alone, which is another question
    columns = {k: [t.knobs[k] for t in rows] for k in knobs if all(k in t.knobs for t in rows)}
    coded = {k: _coded(c) for k, c in columns.items() if len(set(c)) > 1}
    if not coded:
        return {}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=direction)
    space = {k: distribution for k, (distribution, _) in coded.items()}
    for i, row in enumerate(rows):
        params = {k: column[i] for k, (_, column) in coded.items()}
        value = float(row.metrics[key])
        study.add_trial(optuna.create_trial(params=params, distributions=space, value=value))
    evaluator = PedAnovaImportanceEvaluator()
    shares: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return shares


def _coded(column: Sequence[float | str]) -> tuple[BaseDistribution, list[Any]]:
    """Return how the values of a knob lie to each other, and the values in those terms."""
    levels = sorted({v for v in column if not isinstance(v, str)})
    if any(isinstance(v, str) for v in column):
        words = sorted({str(v) for v in column})
        return CategoricalDistribution(words), [str(v) for v in column]
    if len(levels) <= LEVELS:  # places in the list: 2, 4 and 8 bits are one step apart
        return IntDistribution(0, len(levels) - 1), [levels.index(float(v)) for v in column]
    wide = levels[0] > 0 and levels[-1] > 30 * levels[0]
    return FloatDistribution(levels[0], levels[-1], log=wide), [float(v) for v in column]


def distributions(view: ReportView) -> tuple[Distribution, ...]:
    """Return how every knob that varies is spread on the front, and among all trials, by layer."""
    priced = [t for t in view.trials if t.state in ("feasible", "infeasible")]
    best = [t for t in priced if t.on_front]
    found = []
    for knob in sorted(
        dict.fromkeys(name for t in priced for name in t.knobs), key=_by_layer(view)
    ):
        every, there = (
            [t.knobs[knob] for t in group if knob in t.knobs] for group in (priced, best)
        )
        levels = sorted(set(every), key=lambda v: (isinstance(v, str), v))
        if not there or len(levels) < 2:
            continue
        if len(levels) <= LEVELS or isinstance(levels[-1], str):
            shares = tuple(
                (_said(v), there.count(v) / len(there), every.count(v) / len(every)) for v in levels
            )
            found.append(Distribution(knob, len(there), shares))
        else:
            found.append(
                Distribution(knob, len(there), (), (_percentiles(there), _percentiles(every)))
            )
    return tuple(found)


def _said(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percentiles(values: Sequence[float | str]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(np.array(values, dtype=np.float64), (10, 50, 90)).tolist()
    return low, middle, high


def _by_layer(view: ReportView) -> Callable[[str], tuple[int, str]]:
    """Return a sort key of knobs: those of a layer together, layers in their order, the others behind."""
    layers = {x.name: i for d in view.designs.values() for i, x in enumerate(d.layers)}
    return lambda knob: (layers.get(knob.rpartition(".")[0], len(layers)), knob)


def agreement(view: ReportView) -> tuple[Agreement, ...]:
    """Return the values of knobs that the front agrees on, the most telling first.

    Telling is the share on the front less the share among all trials that were priced. Knobs that take one
    value only, or ranges of numbers, say nothing and are left out.
    """
    priced = [t for t in view.trials if t.state in ("feasible", "infeasible")]
    best = [t for t in priced if t.on_front]
    found = []
    for knob in dict.fromkeys(name for t in priced for name in t.knobs):
        everywhere = Counter(str(t.knobs[knob]) for t in priced if knob in t.knobs)
        there = [str(t.knobs[knob]) for t in best if knob in t.knobs]
        if not there or not 1 < len(everywhere) <= LEVELS:
            continue
        value, times = Counter(there).most_common(1)[0]
        if times >= AGREED * len(there):
            share = everywhere[value] / everywhere.total()
            found.append(Agreement(knob, value, times, len(there), share))
    return tuple(sorted(found, key=lambda a: (a.share - a.front / a.of, a.knob)))
