"""The finished trials of a study in a durable Optuna storage: one writer, any number of readers."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from dse.errors import DseError, UnreachableError, UsageError
from dse.ir.record import TrialRecord
from dse.store.attributes import (
    DIGEST,
    NUMBER,
    RECORD,
    attributes_of,
    missing_of,
    numbers_of,
    record_of,
)
from dse.store.collector import uncollected
from dse.store.databases import cause, chain, close, optuna_storage
from dse.store.files import writing

if TYPE_CHECKING:
    from dse.store.journal import Journal

T = TypeVar("T")
PATIENCE_S, LONGEST_WAIT_S = 120.0, 10.0  # how long a server may be away


class Trials:
    """The trials of one study in one storage, which may hold other studies too."""

    def __init__(self, name: str, storage: str, journal: Path) -> None:
        """Name a study; nothing is opened yet.

        Args:
            name: of the study.
            storage: "file" or a URL.
            journal: the file, where the storage is one.
        """
        self.name, self.storage, self._journal = name, storage, journal
        self.on_wait: Callable[[str], None] = lambda reason: (
            None
        )  # hears why a write is tried again
        self._next = 0  # number of the trial that is written next
        self.missing: tuple[int, ...] = ()  # numbers of trials that were written and are gone
        self._lines: Journal | None = None
        self._storage: Any = None
        self._study: Any = None
        # databases refuse a choice that has got more values since: such knobs are in the record only
        self._before: Mapping[str, Any] = {}

    @property
    def study(self) -> Any:
        """The Optuna study; None before `open`."""
        return self._study

    @uncollected()
    def open(self, directions: Sequence[str], metrics: Sequence[str]) -> None:
        """Open the study for writing, creating it if it is not there.

        Raises:
            UnreachableError: the storage does not answer, or cannot be written.
            UsageError: the journal is damaged.
        """
        import optuna

        self._storage = self._opened()

        def create() -> Any:
            return optuna.create_study(
                study_name=self.name,
                storage=self._storage,
                directions=list(directions),
                load_if_exists=True,
            )

        with writing(self._journal):
            self._study = self._loaded(create)
            self._loaded(lambda: self._counted(self._study))
            with warnings.catch_warnings():  # Optuna calls metric names experimental
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                if self.storage != "file":
                    self._before = _choices(self._study)
                if not self._study.metric_names:
                    self._study.set_metric_names(list(metrics))

    def append(
        self,
        record: TrialRecord,
        values: Sequence[float],
        distributions: Mapping[str, Any],
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one finished trial; it is on disk when this returns.

        Where a server is away for a while the write is tried again: it may then be there twice, and is read once.

        Args:
            record: the trial.
            values: one finite number per objective (invented ones where it was not trained; see record.stage).
            distributions: Optuna distributions of the record's knobs, with their readable values.
            notes: further user attributes, for people who look at the storage with other tools.

        Raises:
            UnreachableError: the disk is full, or the server stays away.
        """
        from optuna.trial import TrialState, create_trial

        # Optuna: a pruned trial has no values either, and nobody takes an invented accuracy for a real one
        without = {"failed": TrialState.FAIL, "passed": TrialState.PRUNED}.get(record.state)
        known = {
            k: v
            for k, v in record.knobs.items()
            if k in distributions and self._before.get(k, distributions[k]) == distributions[k]
        }
        attributes = attributes_of(record)
        if self._lines is not None:
            self._lines.expect(attributes[DIGEST], record)
        trial = create_trial(
            state=without or TrialState.COMPLETE,
            values=None if without else [float(v) for v in values],
            params=known,
            distributions={k: distributions[k] for k in known},
            user_attrs=dict(notes or {}) | attributes | {NUMBER: self._next},
            # the list form is what optuna-dashboard reads
            system_attrs={} if without else {"constraints": list(record.constraints.values())},
        )
        with writing(self._journal):
            self._persist(lambda: self._study.add_trial(trial))
        self._next += 1

    @uncollected()
    def records(self) -> tuple[TrialRecord, ...]:
        """Read all finished trials, by id; without any write where the storage is a file.

        Raises:
            UnreachableError: the storage does not answer.
            UsageError: the journal is damaged.
        """
        import optuna

        if self.storage == "file" and not self._journal.exists():
            return ()

        storage = self._storage or self._opened()

        def load() -> Any:
            study = self._study or optuna.load_study(study_name=self.name, storage=storage)
            return [record_of(attributes) for attributes in self._counted(study)]

        try:
            found = self._loaded(load)
        except KeyError:
            return ()
        finally:
            if self._storage is None:
                close(storage)
        return tuple(sorted({r.id: r for r in found}.values(), key=lambda r: r.id))

    def _counted(self, study: Any) -> list[Mapping[str, Any]]:
        """Return the attributes of our trials, having seen which of them are missing."""
        trials = study.get_trials(deepcopy=False)
        ours = [t.user_attrs for t in trials if RECORD in t.user_attrs]
        numbers = numbers_of(ours)
        self._next, self.missing = max(numbers, default=-1) + 1, missing_of(numbers)
        return ours

    def close(self) -> None:
        """Give back what `open` took."""
        if self._storage is not None:
            close(self._storage)

    def _opened(self) -> Any:
        if self.storage != "file":
            return self._loaded(lambda: optuna_storage(self.storage, self._journal))
        from dse.store.journal import Journal, journal_storage

        lines = self._lines = Journal(self._journal)
        return self._loaded(lambda: journal_storage(lines))

    def _loaded(self, load: Callable[[], T]) -> T:
        try:
            return load()
        except (DseError, OSError):
            raise
        except Exception as error:
            if self.storage == "file" and self._journal.exists():
                self._diagnose(error)  # Optuna fails in many ways on a damaged journal
            if self.storage == "file" or isinstance(error, KeyError):  # no such study
                raise
            if isinstance(error, (ValueError, TypeError, AttributeError, IndexError)):
                msg = (
                    f"the storage {self.storage} has a damaged trial in study {self.name!r}:"
                    f" {cause(error)}; restore it from a copy"
                )
                raise UsageError(msg) from error
            msg = (
                f"the storage {self.storage} cannot be read: {cause(error)}; run the same command again"
                " once it can"
            )
            raise UnreachableError(msg) from error

    def _diagnose(self, error: Exception) -> NoReturn:
        """Raise UsageError with the first damaged line; half a last line is a write under way."""
        whole, _, _ = self._journal.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n"), start=1):
            try:
                attributes = json.loads(line).get("user_attrs", {})
                if RECORD in attributes:
                    record_of(attributes)
            except (ValueError, TypeError, KeyError, AttributeError, IndexError):
                msg = (
                    f"{self._journal} is damaged in line {number}; the other trials are intact:"
                    " restore the file from a copy, or delete that line"
                )
                raise UsageError(msg) from None
        msg = (
            f"{self._journal} is damaged: every line can be read, but not as one study"
            f" ({type(error).__name__}: {error}); restore the file from a copy"
        )
        raise UsageError(msg) from error

    def _persist(self, write: Callable[[], None]) -> None:
        """Write, again and again while a server is away; a file is written once."""
        begun, wait = time.monotonic(), 0.5
        while True:
            try:
                write()
            except (DseError, OSError):
                raise
            except Exception as error:  # drivers raise their own types
                if not self._may_pass(error) or time.monotonic() - begun > PATIENCE_S:
                    msg = (
                        f"the storage {self.storage} cannot be written: {cause(error)};"
                        " what is finished is kept: run the same command again once it can"
                    )
                    raise UnreachableError(msg) from error
                self.on_wait(cause(error))
                time.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
            else:
                return

    def _may_pass(self, error: BaseException) -> bool:
        """Whether an error may be gone when the write is tried again: a server that is away."""
        if self.storage == "file" or self.storage.startswith("sqlite"):
            return False
        from sqlalchemy import exc

        refused = (exc.DataError, exc.IntegrityError, exc.ProgrammingError, exc.NotSupportedError)
        return not any(isinstance(e, refused) for e in chain(error))


def _choices(study: Any) -> dict[str, Any]:
    """Return the choices of a study by knob, as they were when the first trial was written."""
    from optuna.distributions import CategoricalDistribution

    found: dict[str, Any] = {}
    for trial in study.get_trials(deepcopy=False):
        for name, distribution in trial.distributions.items():
            if isinstance(distribution, CategoricalDistribution):
                found.setdefault(name, distribution)
    return found
