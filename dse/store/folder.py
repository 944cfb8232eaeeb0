"""The folder of one study, and its one driver."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dse import __version__
from dse.errors import StudyConflictError, UsageError
from dse.ir.milestone import Milestone
from dse.ir.record import FinalRecord, TrialRecord
from dse.ir.synthesised import SynthesisedDesign
from dse.store.files import append_line, drop_half_a_line, read_lines, write_atomic, writing
from dse.store.header import damage
from dse.store.identity import claim
from dse.store.lease import Lease
from dse.store.lock import DriverLock, Holder
from dse.store.trials import Trials

FORMAT = 1
MILESTONES = "milestones.jsonl"
MODEL = "model.onnx"
OWNER = "artifacts.json"  # says whose a folder of artifacts is
R = TypeVar("R", FinalRecord, SynthesisedDesign)


@dataclass(frozen=True, slots=True)
class DriverState:
    """What a driver must find again after being killed.

    Attributes:
        in_flight: knobs and origin of designs whose evaluation had begun, by trial id.
        next_id: the id that the next proposal gets.
        repeated: proposals answered from cache so far.
        seconds: search time so far.
        stop_reason: why the search ended; empty while it has not.
        complete: True when the budget was met and the survivors were retrained.
    """

    in_flight: Mapping[int, tuple[Mapping[str, Any], str]]
    next_id: int = 0
    repeated: int = 0
    seconds: float = 0.0
    stop_reason: str = ""
    complete: bool = False


class Store:
    """The folder of one study."""

    def __init__(self, folder: Path, storage: str, artifacts: Path | None = None) -> None:
        """Name a study folder, its storage ("file" or a URL) and where weights are; nothing is opened yet."""
        self.folder = folder
        self.artifacts = artifacts or folder
        self.storage = storage
        self.missing: tuple[int, ...] = ()  # numbers of trials that were gone at the last reading
        self._lock = DriverLock(folder / "driver.lock")
        self._trials: Trials | None = None
        self._lease: Lease | None = None

    # -- the study itself -------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether the study was created."""
        return (self.folder / "study.json").exists()

    @property
    def journal(self) -> Path:
        """The trials, where the storage is "file"."""
        return self.folder / "journal.log"

    def create(self, text: str, header: Mapping[str, Any]) -> None:
        """Make the folder; `header` is what `header()` gives back, beside format and writer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self.folder / "study.yaml", text)
        self.write_header(header)

    def keep_model(self, content: bytes) -> None:
        """Keep the network of a torch module, so that nobody who opens the study has to run its Python."""
        path = self.folder / MODEL
        temporary = path.with_name(path.name + ".tmp")
        with writing(path):
            temporary.write_bytes(content)
            temporary.replace(path)

    def write_header(self, header: Mapping[str, Any]) -> None:
        """Replace study.json."""
        whole = {"format": FORMAT, "written_by": f"dse {__version__}"} | dict(header)
        write_atomic(self.folder / "study.json", json.dumps(whole, indent=1) + "\n")

    def header(self) -> dict[str, Any]:
        """Read study.json.

        Raises:
            UsageError: there is no such study, or the file is damaged.
            StudyConflictError: a newer dse wrote it.
        """
        path = self.folder / "study.json"
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            written = int(value["format"])
        except FileNotFoundError:
            msg = f"no study in {self.folder}; `dse list` shows the studies there are"
            raise UsageError(msg) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = (
                f"{path} is damaged ({error}); restore it from a copy, or start under another name"
            )
            raise UsageError(msg) from None
        if written > FORMAT:
            msg = (
                f"{self.folder} was written by {value.get('written_by')} (format {written});"
                f" this is dse {__version__}, which reads up to format {FORMAT}. Upgrade dse."
            )
            raise StudyConflictError(msg)
        if wrong := damage(value):
            msg = (
                f"{path} is damaged ({wrong}); restore it from a copy, or start under another name"
            )
            raise UsageError(msg)
        return dict(value)

    # -- the driver's lock ------------------------------------------------------------------------

    def hold(self) -> None:
        """Become the one driver of the study; the system frees the lock when the process dies.

        Raises:
            StudyConflictError: another driver holds it.
            UsageError: nobody can write there.
        """
        self._lock.hold()
        self._repair()

    def release(self) -> None:
        """Stop being the driver."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        if self._trials is not None:
            self._trials.close()
            self._trials = None
        if self._lock.release() and not self.exists:  # nothing was made of it
            (self.folder / "driver.lock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def is_held(self) -> bool:
        """Whether a driver is at work."""
        return self._lock.is_held()

    def holder(self) -> Holder | None:
        """Return the driver that holds the study's folder; None where none does, or it cannot be told."""
        return self._lock.holder()

    def _repair(self) -> None:
        """Drop what a killed driver left: half a journal line, a stale journal lock."""
        for lock in self.folder.glob("journal.log.lock*"):
            lock.unlink(missing_ok=True)
        for name in ("journal.log", "finals.jsonl", "synthesised.jsonl", MILESTONES):
            drop_half_a_line(self.folder / name)

    # -- trials -----------------------------------------------------------------------------------

    def open_trials(
        self,
        name: str,
        directions: Sequence[str],
        metrics: Sequence[str],
        made_from: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the study's trials for writing; no other driver has them then, wherever it runs.

        Args:
            name: of the study.
            directions: of its objectives, as Optuna has them.
            metrics: its objectives.
            made_from: what its trials depend on (see `dse.store.identity`); None: nobody asks.

        Raises:
            StudyConflictError: another driver holds them, in a database, from another machine or folder;
                or they are of another study of that name.
            UnreachableError: the storage does not answer.
        """
        self._trials = self._trials_of(name)
        self._trials.open(directions, metrics)
        self.missing = self._trials.missing
        if self.storage != "file":
            lease = Lease(self._trials.study, name)
            lease.take()
            self._lease = lease
            if made_from is not None:
                claim(self._trials.study, name, made_from, known=self.exists)

    def append(
        self, record: TrialRecord, values: Sequence[float], distributions: Mapping[str, Any]
    ) -> None:
        """Write one finished trial (see `Trials.append`)."""
        assert self._trials is not None
        if self._lease is not None:
            self._lease.check()
        self._trials.append(record, values, distributions)

    def records(self, name: str) -> tuple[TrialRecord, ...]:
        """Read all finished trials, by id; without any write where the storage is a file."""
        trials = self._trials or self._trials_of(name)
        found = trials.records()
        self.missing = trials.missing
        return found

    def when_waiting(self, hear: Callable[[str], None]) -> None:
        """Have `hear` called with the reason whenever a write has to be tried again."""
        assert self._trials is not None
        self._trials.on_wait = hear

    def _trials_of(self, name: str) -> Trials:
        return Trials(name, self.storage, self.journal)

    # -- the driver's own state -------------------------------------------------------------------

    def driver_state(self) -> DriverState:
        """Read driver.json; a fresh state where there is none, or nothing that can be read."""
        try:
            value = json.loads((self.folder / "driver.json").read_text(encoding="utf-8"))
            flights = {int(k): (v[0], v[1]) for k, v in value.pop("in_flight").items()}
            return DriverState(in_flight=flights, **value)
        except FileNotFoundError:
            return DriverState({})
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return DriverState(
                {}
            )  # finished trials are in the journal; only what was in flight is lost

    def write_driver_state(self, state: DriverState) -> None:
        """Replace driver.json."""
        value = {name: getattr(state, name) for name in state.__dataclass_fields__}
        write_atomic(self.folder / "driver.json", json.dumps(value))

    def claim_artifacts(self, study: str, made_from: str) -> None:
        """Make the folder of artifacts this study's own.

        Args:
            study: its name.
            made_from: digest of what its trainings depend on: weights of others would not be told apart.

        Raises:
            StudyConflictError: it holds those of another study, or of other trainings.
            UsageError: nobody can write there.
        """
        if self.artifacts == self.folder:
            return
        path, owner = self.artifacts / OWNER, {"format": FORMAT, "study": study, "from": made_from}
        with writing(path):
            self.artifacts.mkdir(parents=True, exist_ok=True)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            write_atomic(path, json.dumps(owner) + "\n")
            return
        except ValueError:
            found = None
        if found != owner:
            whose = found.get("study") if isinstance(found, dict) else None
            other = f"study {whose!r}" if whose not in (None, study) else "other trainings"
            msg = (
                f"the artifacts in {self.artifacts} are of {other}; name another folder"
                " (artifacts in the study file, or --set artifacts=FOLDER), or remove this one"
            )
            raise StudyConflictError(msg)

    # -- weights and finals -----------------------------------------------------------------------

    def finals(self) -> dict[str, FinalRecord]:
        """Read the designs trained at full budget, by design digest.

        A damaged line is a design that is trained at full budget again.
        """
        return self._lines("finals.jsonl", FinalRecord.from_json)

    def append_final(self, record: FinalRecord) -> None:
        """Write one retrained design; it is on disk when this returns."""
        append_line(self.folder / "finals.jsonl", record.to_json())

    def synthesised(self) -> dict[str, SynthesisedDesign]:
        """Read the designs that were synthesised, or could not be, by design digest.

        A damaged line is a design that may be synthesised again.
        """
        return self._lines("synthesised.jsonl", SynthesisedDesign.from_json)

    def append_synthesised(self, record: SynthesisedDesign) -> None:
        """Write one synthesised design; it is on disk when this returns."""
        append_line(self.folder / "synthesised.jsonl", record.to_json())

    def milestones(self) -> tuple[Milestone, ...]:
        """Read what happened to the search, oldest first; a damaged line is forgotten."""
        found = []
        for value in read_lines(self.folder / MILESTONES):
            with contextlib.suppress(ValueError, TypeError):
                found.append(Milestone.from_json(value))
        return tuple(found)

    def append_milestone(self, milestone: Milestone) -> None:
        """Write one moment of the search; it is on disk when this returns."""
        append_line(self.folder / MILESTONES, milestone.to_json())

    def _lines(self, name: str, read: Callable[[Any], R]) -> dict[str, R]:
        found: dict[str, R] = {}
        for value in read_lines(self.folder / name):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                record = read(value)
                found[record.digest] = record
        return found

    def save_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write `name`.npz below the folder of artifacts."""
        path = self.artifacts / f"{name}.npz"
        whole = io.BytesIO()
        np.savez_compressed(whole, **dict(arrays))  # type: ignore[arg-type]
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(path.name + ".tmp")
            temporary.write_bytes(whole.getvalue())
            temporary.replace(path)

    def load_arrays(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Read `name`.npz, without pickle; None where it is absent or damaged: it is computed again."""
        try:
            with (
                (self.artifacts / f"{name}.npz").open("rb") as handle,
                np.load(handle, allow_pickle=False) as arrays,
            ):
                return {key: arrays[key] for key in arrays.files}
        except (
            OSError,
            ValueError,
            EOFError,
            KeyError,
            AttributeError,
            TypeError,
            zipfile.BadZipFile,
        ):
            return None
