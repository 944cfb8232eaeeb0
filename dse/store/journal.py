"""The journal file of a study, as Optuna writes and reads it, with less to read and to keep.

Every line is a JSON object that Optuna's `JournalStorage` applies to a study; Optuna's own file backend and
its dashboard read the same file. Here a trial is handed on with its record instead of the text of it and
without its knobs and their distributions, most of what would be built and kept; a line that this process wrote is
not parsed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import BaseJournalBackend, JournalFileSymlinkLock

from dse.ir.record import TrialRecord
from dse.store.attributes import DIGEST, NUMBER, RECORD, record_of

Line = dict[str, Any]


def journal_storage(journal: Journal) -> optuna.storages.JournalStorage:
    """Return the storage of a journal; its trials have their record as the attribute `RECORD`, and no knobs."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.storages.JournalStorage(journal)


class Journal(BaseJournalBackend):  # type: ignore[misc]  # Optuna is not typed here
    """A journal file."""

    def __init__(self, path: Path) -> None:
        """Name the file, which is made where it is not there."""
        if not path.exists():  # who only reads leaves it as it is
            path.touch()
        self._path = path
        self._lock = JournalFileSymlinkLock(str(path))
        self._begins = [0]  # place in the file of every line that was read, and of the next
        self._written: dict[
            int, Line
        ] = {}  # lines of this process that were not read yet, by place
        self._expected: dict[str, TrialRecord] = {}

    def expect(self, digest: str, record: TrialRecord) -> None:
        """Take the record whose text, of this digest, is appended next."""
        self._expected = {digest: record}

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Append a line for each; they are on disk when this returns."""
        lines = [(json.dumps(log, separators=(",", ":")) + "\n").encode() for log in logs]
        self._lock.acquire()
        try:
            with self._path.open("ab") as file:
                place = file.tell()
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._lock.release()
        for log, line in zip(logs, lines, strict=True):
            self._written[place] = self._shortened(dict(log))
            place += len(line)

    def read_logs(self, log_number_from: int) -> Iterator[Line]:
        """Yield the lines from a number on; half a last line is a write under way.

        Raises:
            ValueError: a line that others follow is no JSON, or a record is damaged.
        """
        failed: ValueError | None = None
        with self._path.open("rb") as file:
            place = self._begins[log_number_from]
            del self._begins[log_number_from + 1 :]
            file.seek(place)
            for line in file:
                if failed is not None:
                    raise failed
                if not line.endswith(b"\n"):
                    return
                short = self._written.pop(place, None)
                if short is None:
                    try:
                        whole = json.loads(line)
                    except json.JSONDecodeError as error:
                        failed = error
                        continue
                    short = self._shortened(whole)
                place += len(line)
                self._begins.append(place)
                yield short

    def _shortened(self, line: Line) -> Line:
        """Return a line as Optuna is to see it."""
        attributes = line.get("user_attrs", {})
        if RECORD not in attributes:
            return line
        record = self._expected.pop(attributes.get(DIGEST), None) or record_of(attributes)
        return line | {
            "user_attrs": {RECORD: record} | {k: v for k, v in attributes.items() if k == NUMBER},
            "params": {},
            "distributions": {},
            "system_attrs": {},
        }
