"""A study on disk: open, create, append, read. One driver writes, anybody may read.

The folder of a study:

    study.yaml       the file the user ran, byte for byte
    study.json       format, writer, what the study was made from
    journal.log      Optuna's journal: one finished trial per record (or a database, by URL)
    driver.json      what was in flight, how often a design was proposed again, seconds spent
    base.npz         the float network that every candidate starts from
    finals.jsonl     designs trained at full budget, one per line
    synthesised.jsonl, synthesised/*/
                     designs that were synthesised, one per line, and their projects
    cost_model.json  the cost model, corrected by them
    weights/*.npz    their integer networks, by compression digest
    driver.lock      held by the driver
    report.html
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import tempfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dse import __version__
from dse.errors import StudyConflictError, UnreachableError, UsageError
from dse.ir.record import FinalRecord, TrialRecord
from dse.ir.synthesised import SynthesisedDesign

FORMAT = 1
RECORD = "dse"  # the user attribute of an Optuna trial that holds our record


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

    def __init__(self, folder: Path, storage: str) -> None:
        """Name a study folder and its storage ("file" or a URL); nothing is opened yet."""
        self.folder = folder
        self.storage = storage
        self._lock: IO[str] | None = None
        self._study: Any = None

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
        (self.folder / "weights").mkdir(exist_ok=True)
        write_atomic(self.folder / "study.yaml", text)
        self.write_header(header)

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
        return dict(value)

    # -- the driver's lock ------------------------------------------------------------------------

    def hold(self) -> None:
        """Become the one driver of the study; the system frees the lock when the process dies.

        Raises:
            StudyConflictError: another driver holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = (self.folder / "driver.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip() or "another process"
            handle.close()
            msg = (
                f"{self.folder.name} is being run by {holder}; wait for it, stop it with Ctrl-C there,"
                " or use another study name"
            )
            raise StudyConflictError(msg) from None
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        handle.flush()
        self._lock = handle
        self._repair()

    def release(self) -> None:
        """Stop being the driver."""
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None
            if not self.exists:  # nothing was made of it
                (self.folder / "driver.lock").unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    self.folder.rmdir()

    def is_held(self) -> bool:
        """Whether a driver is at work."""
        try:
            with (self.folder / "driver.lock").open("a+", encoding="utf-8") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def _repair(self) -> None:
        """Drop what a killed driver left: half a journal line, a stale journal lock."""
        for lock in self.folder.glob("journal.log.lock*"):
            lock.unlink(missing_ok=True)
        for path in (
            self.journal,
            *(self.folder / f"{n}.jsonl" for n in ("finals", "synthesised")),
        ):
            if path.exists():
                data = path.read_bytes()
                whole = data[: data.rfind(b"\n") + 1]
                if whole != data:
                    path.with_suffix(".torn").write_bytes(data[len(whole) :])
                    with path.open("r+b") as handle:
                        handle.truncate(len(whole))

    # -- trials -----------------------------------------------------------------------------------

    def open_trials(self, name: str, directions: Sequence[str], metrics: Sequence[str]) -> None:
        """Open the durable Optuna study, creating it if it is not there."""
        import optuna

        self._check_journal()
        self._study = optuna.create_study(
            study_name=name,
            storage=self._optuna_storage(),
            directions=list(directions),
            load_if_exists=True,
        )
        with warnings.catch_warnings():  # Optuna calls metric names experimental
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if not self._study.metric_names:
                self._study.set_metric_names(list(metrics))

    def append(
        self,
        record: TrialRecord,
        values: Sequence[float],
        distributions: Mapping[str, Any],
    ) -> None:
        """Write one finished trial; it is on disk when this returns.

        Args:
            record: the trial.
            values: one finite number per objective (invented ones where it was not trained; see record.stage).
            distributions: Optuna distributions of the record's knobs, with their readable values.
        """
        from optuna.trial import TrialState, create_trial

        failed = record.state == "failed"
        known = {k: v for k, v in record.knobs.items() if k in distributions}
        self._study.add_trial(
            create_trial(
                state=TrialState.FAIL if failed else TrialState.COMPLETE,
                values=None if failed else [float(v) for v in values],
                params=known,
                distributions={k: distributions[k] for k in known},
                user_attrs={RECORD: record.to_json()},
                # the list form is what optuna-dashboard reads
                system_attrs={} if failed else {"constraints": list(record.constraints.values())},
            )
        )

    def records(self, name: str) -> tuple[TrialRecord, ...]:
        """Read all finished trials, by id; without any write where the storage is a file."""
        import optuna

        if self.storage == "file" and not self.journal.exists():
            return ()
        self._check_journal()
        study = self._study
        if study is None:
            try:
                study = optuna.load_study(study_name=name, storage=self._optuna_storage())
            except KeyError:
                return ()
        found = [
            TrialRecord.from_json(t.user_attrs[RECORD])
            for t in study.get_trials(deepcopy=False)
            if RECORD in t.user_attrs
        ]
        return tuple(sorted(found, key=lambda r: r.id))

    def _check_journal(self) -> None:
        """Raise UsageError where a line of the journal is no JSON; half a last line is a write under way."""
        if self.storage != "file" or not self.journal.exists():
            return
        whole, _, _ = self.journal.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                json.loads(line)
            except ValueError:
                msg = (
                    f"{self.journal} is damaged in line {number}; the other trials are intact:"
                    " restore the file from a copy, or delete that line"
                )
                raise UsageError(msg) from None

    def _optuna_storage(self) -> Any:
        import optuna
        from optuna.storages import JournalStorage, RDBStorage
        from optuna.storages.journal import JournalFileBackend, JournalRedisBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if self.storage == "file":
            return JournalStorage(JournalFileBackend(str(self.journal)))
        url = self.storage
        password = os.environ.get("DSE_STORAGE_PASSWORD")
        try:
            if url.startswith("redis"):
                return JournalStorage(JournalRedisBackend(_with_password(url, password)))
            return RDBStorage(_with_password(url, password))
        except Exception as error:  # drivers raise their own types
            msg = f"the storage {url} cannot be opened: {error}"
            raise UnreachableError(msg) from error

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

    # -- weights and finals -----------------------------------------------------------------------

    def finals(self) -> dict[str, FinalRecord]:
        """Read the designs trained at full budget, by design digest."""
        path = self.folder / "finals.jsonl"
        if not path.exists():
            return {}
        records = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                records.append(FinalRecord(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # a damaged line is a design that is trained at full budget again
        return {r.digest: r for r in records}

    def append_final(self, record: FinalRecord) -> None:
        """Write one retrained design; it is on disk when this returns."""
        self._append_line("finals.jsonl", record.to_json())

    def synthesised(self) -> dict[str, SynthesisedDesign]:
        """Read the designs that were synthesised, or could not be, by design digest."""
        path = self.folder / "synthesised.jsonl"
        if not path.exists():
            return {}
        records = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                records.append(SynthesisedDesign.from_json(json.loads(line)))
            except (ValueError, TypeError, KeyError):
                continue  # a damaged line is a design that may be synthesised again
        return {r.digest: r for r in records}

    def append_synthesised(self, record: SynthesisedDesign) -> None:
        """Write one synthesised design; it is on disk when this returns."""
        self._append_line("synthesised.jsonl", record.to_json())

    def _append_line(self, name: str, value: Mapping[str, Any]) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(value) + "\n")
            handle.flush()
            os.fsync(handle.fileno())

    def save_arrays(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write `name`.npz below the study folder."""
        path = self.folder / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as handle:
            np.savez_compressed(handle, **dict(arrays))  # type: ignore[arg-type]
        Path(handle.name).replace(path)

    def load_arrays(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Read `name`.npz, without pickle; None where it is absent or damaged: it is computed again."""
        try:
            with (
                (self.folder / f"{name}.npz").open("rb") as handle,
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


def write_atomic(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never half."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def _with_password(url: str, password: str | None) -> str:
    """Put the password of the environment into a URL that names a user without one."""
    scheme, _, rest = url.partition("://")
    user, at, host = rest.partition("@")
    if not password or not at or ":" in user:
        return url
    return f"{scheme}://{user}:{password}@{host}"
