"""The finished trials of a running search, and everything a driver asks about them at once."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dse.config.values import Objective
from dse.ir.metrics import METRICS
from dse.ir.record import StageAccuracy, State, TrialRecord
from dse.search.growth import GrowingFront

PATIENCE_GAIN = 0.001  # of the hypervolume; less than this over `patience` trials is flat


class Ledger:
    """Finished trials: one per design, each added once.

    What every trial needs to know costs no more for the ten thousandth than for the first, but for the
    size of the front.
    """

    def __init__(
        self, objectives: Sequence[Objective], records: Iterable[TrialRecord] = ()
    ) -> None:
        """Take up the records of a study."""
        self._objectives = tuple(objectives)
        self._finished: list[TrialRecord] = []
        self._by_digest: dict[str, TrialRecord] = {}
        self._accuracy: dict[str, float] = {}
        self._accuracies: dict[str, tuple[StageAccuracy, ...]] = {}
        self._worst_accuracy: float | None = None
        self._counts: Counter[State] = Counter()
        self._counted: list[int] = []  # trials of the budget among the first n, for every n
        self._front = GrowingFront(objectives)
        for record in records:
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Take up a finished trial."""
        self._finished.append(record)
        self._by_digest[record.design.digest] = record
        self._counts[record.state] += 1
        self._counted.append(self.counted + record.counts)
        accuracy = record.metrics.get("accuracy")
        if accuracy is not None:
            self.learn_accuracy(record.design.compression_digest, accuracy)
            self._accuracies[record.design.compression_digest] = record.accuracies
        if record.state == "feasible":
            self._front.add(record, len(self._finished))

    def learn_accuracy(self, compression_digest: str, accuracy: float) -> None:
        """Take note of a training; all designs of this compression have its accuracy."""
        self._accuracy[compression_digest] = accuracy
        worst = self._worst_accuracy
        self._worst_accuracy = accuracy if worst is None else min(worst, accuracy)

    def __len__(self) -> int:
        return len(self._finished)

    def __getitem__(self, index: int) -> TrialRecord:
        """Return a trial in the order of finishing."""
        return self._finished[index]

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        """All finished trials, by id."""
        return tuple(sorted(self._finished, key=lambda r: r.id))

    @property
    def counted(self) -> int:
        """How many trials the budget counts: all but what was passed over, and further foldings."""
        return self._counted[-1] if self._counted else 0

    def count(self, state: State) -> int:
        """Return how many trials are in a state."""
        return self._counts[state]

    def of_design(self, digest: str) -> TrialRecord | None:
        """Return the trial of a design."""
        return self._by_digest.get(digest)

    def accuracy(self, compression_digest: str) -> float | None:
        """Return the accuracy of a compression that was trained."""
        return self._accuracy.get(compression_digest)

    def accuracies(self, compression_digest: str) -> tuple[StageAccuracy, ...]:
        """Return what the stages measured of a compression that came through all of them."""
        return self._accuracies.get(compression_digest, ())

    def values(self, record: TrialRecord) -> list[float]:
        """Return one finite value per objective, in the metrics' units (see `values_of`).

        What did not come through all stages has the accuracy of the last one that measured it.
        """
        if record.accuracies and "accuracy" not in record.metrics:
            return self.values_of({**record.metrics, "accuracy": record.accuracies[-1].accuracy})
        return self.values_of(record.metrics)

    def values_of(self, metrics: Mapping[str, float]) -> list[float]:
        """Return one finite value per objective, from metrics by key.

        Where nothing was trained, the accuracy is the worst seen so far (docs/decisions.md, 8).
        """
        worst = self._worst_accuracy or 0.0
        return [float(metrics.get(METRICS[o.metric].key, worst)) for o in self._objectives]

    @property
    def front_size(self) -> int:
        """How many trials are on the front."""
        return len(self._front)

    def front(self) -> tuple[TrialRecord, ...]:
        """Return the feasible trials that no other dominates, best first objective first."""
        return self._front.records()

    def covers(self, metrics: Mapping[str, float]) -> bool:
        """Whether a feasible trial is no worse in any objective than a design of these metrics, by key."""
        return self._front.covers(metrics)

    def hypervolume(self) -> float:
        """Return the hypervolume of the front (see `dse.search.pareto.hypervolume_history`)."""
        return self._front.volume()

    def flat(self, patience: int) -> bool:
        """Whether the hypervolume has all but stood still over the last `patience` trials that count."""
        if self.counted <= patience or not self.front_size:
            return False
        since = bisect_right(self._counted, self.counted - patience)
        gain = self._front.gain(since=since)
        return gain <= PATIENCE_GAIN * self.hypervolume()
