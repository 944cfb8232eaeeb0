"""Chooses the compression to train next: the one that is expected to add most to the front.

Hardware is exact and cheap, so many compressions are thought of for each that is trained: those the
sampler asks for, changed and crossed members of the front, random ones. A model of accuracy, fitted to
what was trained so far, says what each may reach; those on the front of (accuracy that it may reach,
work) are folded and priced, stay in a pool, and the one with the largest expected gain is trained.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.ir.design import Compression, compression_digest
from dse.ir.record import Prediction
from dse.search.accuracy_model import INTERVAL, SETTINGS, AccuracyModel, Forecast, Setting
from dse.search.features import features, with_short, work
from dse.search.gain import (
    Bools,
    Floats,
    best_worth,
    covered,
    expected_gain,
    gains_at,
    spread_places,
)
from dse.search.ledger import Ledger
from dse.search.offers import Offer, offers, others
from dse.search.pareto import MARGIN, non_dominated, objective_point
from dse.search.space import CYCLES, PREFERENCE, Values, at
from dse.search.study import Plan
from dse.search.worth import Worth

MIN_TRAINED = 6  # compressions, before the model says anything
CHANGED, CROSSED, DRAWN = 48, 8, 32  # compressions to think of for each that is trained
PRICED = 24  # of them that are folded and priced
TARGETS = 6  # cycle targets of an idea; its training is worth `ALL_TARGETS`
ALL_TARGETS = 16
LEAST = 1e-4  # of the front's volume: a folding that adds less is not worth a line
FITTED = 300  # trainings that the model is fitted to, the newest ones
GROWTH = 1.1  # of their number, before its setting is chosen again
POOL = 200  # ideas that are kept
# of the predicted deviation counts in an expected gain, which looks one training ahead: all of it
# makes long shots, none of it stays where it knows its way (figures: docs/decisions.md, 23)
CURIOSITY = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Idea:
    """A compression that could be trained: what it decodes from, its features, its foldings."""

    knobs: Mapping[str, Any]
    compressions: Mapping[str, Compression]
    features: Floats
    offers: tuple[Offer, ...] = ()

    @property
    def digest(self) -> str:
        """Of the compression."""
        return compression_digest(self.compressions)

    @property
    def points(self) -> Floats:
        """`(n, k)` of its foldings."""
        return np.array([o.point for o in self.offers])


@dataclass(frozen=True, slots=True, eq=False)
class _Front:
    """The front, as what accuracy is worth over the other objectives; places and points are to be minimised."""

    points: Floats
    worths: Floats
    floor: float  # what is worth less counts nothing

    def beats(self, points: Floats, worth: float) -> bool:
        """Whether designs that are worth so much at all these points would be dominated."""
        if worth < self.floor:
            return True
        above = self.points[self.worths >= worth]
        return bool(covered(points, above).all()) if len(above) else False


class Guide:
    """Learns accuracies from a ledger and chooses what to train; a function of ledger and seed."""

    def __init__(self, plan: Plan, worth: Worth, seed: int) -> None:
        """Know nothing yet."""
        self._plan, self._worth = plan, worth
        self._random = random.Random(seed)
        self._knobs = [k for k in plan.space.knobs if k.name not in (CYCLES, PREFERENCE)]
        self._trained: dict[str, tuple[Floats, float]] = {}
        self._short: dict[str, tuple[Floats, float]] = {}  # features with the short accuracy
        self._given_up: set[str] = set()
        self._learnt = 0  # trials of the ledger
        self._model: AccuracyModel | None = None
        self._chosen_at = 0  # trainings when its setting was chosen
        self._pool: dict[str, Idea] = {}
        self._begun: dict[str, Idea] = {}  # chosen, not trained yet

    def learn(self, ledger: Ledger) -> bool:
        """Take up what has been trained; whether it is enough to predict."""
        before = len(self._trained)
        for i in range(self._learnt, len(ledger)):
            record = ledger[i]
            accuracy = record.metrics.get("accuracy")
            key = record.design.compression_digest
            if accuracy is not None and key not in self._trained:
                x = features(self._plan.network, record.design.compressions)
                self._trained[key] = x, accuracy
                if record.short_accuracy is not None:
                    self._short[key] = with_short(x, record.short_accuracy), accuracy
            if record.state in ("passed", "failed"):
                self._given_up.add(key)
            if accuracy is not None or key in self._given_up:
                self._pool.pop(key, None)
                self._begun.pop(key, None)
        self._learnt = len(ledger)
        if len(self._trained) < MIN_TRAINED:
            return False
        if self._model is None or len(self._trained) > before:
            xs, accuracies = zip(*list(self._trained.values())[-FITTED:], strict=True)
            settings: Sequence[Setting] = SETTINGS
            if self._model is not None and len(self._trained) < GROWTH * self._chosen_at:
                settings = (self._model.setting,)
            else:
                self._chosen_at = len(self._trained)
            self._model = AccuracyModel.fit(np.array(xs), accuracies, settings)
        return True

    def choose(self, ledger: Ledger, sampled: Values, busy: Collection[str]) -> Values:
        """Return the knobs of the design to train next.

        Args:
            ledger: what has been learnt (`learn` said that it is enough).
            sampled: knobs that the sampler asks for.
            busy: digests of the compressions that are being trained.
        """
        self._begun = {k: i for k, i in self._begun.items() if k in busy}
        self._think(ledger, sampled, busy)
        if not self._pool:
            return sampled
        ideas = list(self._pool.values())
        front = self._front(ledger)
        places = self._places(front, ideas)
        best = self._best(front, places)
        reach = [covered(places, i.points) for i in ideas]
        forecast = self._forecast([i.features for i in ideas])
        odds = self._worth.odds(Forecast(forecast.mean, CURIOSITY * forecast.std))
        gains = expected_gain(*odds, reach, best)
        highest = self._worth.of(forecast.at(INTERVAL)).tolist()
        hopeless = [front.beats(i.points, high) for i, high in zip(ideas, highest, strict=True)]
        order = np.lexsort((-gains, np.array(hopeless)))
        idea = ideas[order[0]]
        self._pool = {ideas[i].digest: ideas[i] for i in order[1:POOL]}
        self._begun[idea.digest] = idea
        expected = float(self._worth.hoped(forecast)[order[0]])
        own = [covered(places, o.point[None]) for o in idea.offers]
        most = int(gains_at(np.full(len(own), expected), own, best).argmax())
        knobs: Values = idea.offers[most].knobs
        return knobs

    def judge(self, knobs: Values, ledger: Ledger) -> tuple[Prediction, bool]:
        """Return what the compression may reach, and whether it would be dominated even at the upper end.

        Dominated means in all its foldings: they share one training.
        """
        x = features(self._plan.network, self._plan.space.compressions(knobs))
        prediction = self._forecast([x])[0]
        return prediction, self._beaten(knobs, prediction, ledger)

    def judge_short(
        self, knobs: Values, short_accuracy: float, ledger: Ledger
    ) -> tuple[Prediction, bool] | None:
        """Judge as `judge` does, knowing the accuracy after a short training too.

        None where too few trainings went through a short one to say anything.
        """
        if len(self._short) < MIN_TRAINED:
            return None
        xs, accuracies = zip(*list(self._short.values())[-FITTED:], strict=True)
        model = AccuracyModel.fit(np.array(xs), accuracies)
        x = features(self._plan.network, self._plan.space.compressions(knobs))
        prediction = model.predict(with_short(x, short_accuracy)[None])[0]
        return prediction, self._beaten(knobs, prediction, ledger)

    def _beaten(self, knobs: Values, prediction: Prediction, ledger: Ledger) -> bool:
        high = float(self._worth.of(np.array(prediction.high)))
        return self._front(ledger).beats(self._points(knobs), high)

    def _points(self, knobs: Values) -> Floats:
        """Return `(n, k)` of the foldings of an idea, or of knobs that are none."""
        idea = self._begun.get(compression_digest(self._plan.space.compressions(knobs)))
        found = offers(self._plan, knobs, TARGETS) if idea is None else idea.offers
        return np.array([o.point for o in found])

    def foldings(self, ledger: Ledger, knobs: Values, accuracy: float) -> list[Values]:
        """Return the foldings of a trained compression that add to the front, the most first.

        What adds less than `LEAST` of what the front has is left out: a front is there to be read.
        """
        front, worth = self._front(ledger), float(self._worth.of(np.array(accuracy)))
        idea = Idea(knobs, {}, np.empty(0), offers(self._plan, knobs, ALL_TARGETS))
        if not idea.offers or worth < front.floor:
            return []
        places = self._places(front, [idea])
        best = best_worth(places, front.points, front.worths, front.floor)
        reach = [covered(places, o.point[None]) for o in idea.offers]
        least = LEAST * float((best - front.floor).mean())
        chosen: list[Values] = []
        while len(chosen) < len(reach):
            gains = gains_at(np.full(len(reach), worth), reach, best)
            most = int(gains.argmax())
            if gains[most] <= least:
                break
            chosen.append(idea.offers[most].knobs)
            best = np.where(reach[most], np.maximum(best, worth), best)
        return chosen

    # -- ideas ------------------------------------------------------------------------------------

    def _think(self, ledger: Ledger, sampled: Values, busy: Collection[str]) -> None:
        """Add new ideas to the pool, the promising ones of many."""
        fresh: dict[str, Idea] = {}
        known = {*self._trained, *self._given_up, *self._pool, *busy}
        for knobs in (sampled, *self._thoughts(ledger)):
            compressions = self._plan.space.compressions(knobs)
            key = compression_digest(compressions)
            if key in fresh or key in known:
                continue
            x = features(self._plan.network, compressions)
            fresh[key] = Idea(knobs, compressions, x)
        ideas = list(fresh.values())
        for i in self._promising(ideas):
            idea = ideas[i]
            found = offers(self._plan, idea.knobs, TARGETS)
            if found:
                self._pool[idea.digest] = Idea(idea.knobs, idea.compressions, idea.features, found)

    def _thoughts(self, ledger: Ledger) -> list[Values]:
        """Return members of the front, changed and crossed, and random knobs."""
        rng, members = self._random, [r.knobs for r in ledger.front()]
        thoughts: list[Values] = []
        if members:
            for _ in range(CHANGED):
                changed = dict(rng.choice(members))
                for knob in rng.sample(
                    self._knobs, min(rng.choice((1, 1, 2, 3)), len(self._knobs))
                ):
                    changed[knob.name] = at(knob, rng.random())
                thoughts.append(changed)
            for _ in range(CROSSED):
                a, b = rng.choice(members), rng.choice(members)
                thoughts.append({name: rng.choice((a, b))[name] for name in a})
        for _ in range(DRAWN):
            thoughts.append({k.name: at(k, rng.random()) for k in self._plan.space.knobs})
        return thoughts

    def _promising(self, ideas: Sequence[Idea]) -> list[int]:
        """Return the indices of up to `PRICED` ideas: by front of accuracy they may reach and work."""
        if not ideas:
            return []
        reach = self._forecast([i.features for i in ideas]).at(1.0)
        efforts = [work(self._plan.network, i.compressions) for i in ideas]
        points = np.stack([-reach, np.array(efforts)], axis=1)
        chosen: list[int] = []
        left = np.arange(len(ideas))
        while len(left) and len(chosen) < PRICED:
            first = non_dominated(points[left])
            rank = left[first].tolist()
            room = PRICED - len(chosen)
            chosen += rank if len(rank) <= room else self._random.sample(rank, room)
            left = left[~first]
        return chosen

    # -- the front --------------------------------------------------------------------------------

    def _forecast(self, rows: Sequence[Floats]) -> Forecast:
        assert self._model is not None
        return self._model.predict(np.array(rows))

    def _front(self, ledger: Ledger) -> _Front:
        objectives = others(self._plan)
        members = ledger.front()
        points = np.array([objective_point(r.metrics, objectives) for r in members])
        accuracies = np.array([r.metrics["accuracy"] for r in members])
        known = np.array([*accuracies, *(a for _, a in self._trained.values()), 1.0])
        points = points.reshape(len(members), len(objectives))  # none where accuracy is alone
        return _Front(points, self._worth.of(accuracies), self._worth.floor(known, MARGIN))

    def _places(self, front: _Front, ideas: Sequence[Idea]) -> Floats:
        """Return `(s, k)` places over the box of all foldings that are known."""
        points = np.concatenate([front.points, *(i.points for i in ideas)])
        low, span = points.min(axis=0), np.ptp(points, axis=0)
        return np.asarray(low + spread_places(points.shape[1]) * span * (1 + MARGIN))

    def _best(self, front: _Front, places: Floats) -> Floats:
        """Return what the front is worth at each place, what is being trained as it is expected."""
        best = best_worth(places, front.points, front.worths, front.floor)
        begun: list[Idea] = list(self._begun.values())
        if begun:
            expected = self._worth.hoped(self._forecast([i.features for i in begun]))
            for idea, worth in zip(begun, expected, strict=True):
                here: Bools = covered(places, idea.points)
                best[here] = np.maximum(best[here], worth)
        return best
