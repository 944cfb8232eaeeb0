"""A record as attributes of an Optuna trial: its JSON text in parts, and a digest of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from dse.ir.record import TrialRecord

RECORD = "dse"  # the user attribute of an Optuna trial that holds our record, as JSON text
DIGEST = f"{RECORD}:digest"  # of that text: a bit that flips on a disk is no other result
NUMBER = (
    f"{RECORD}:number"  # how many trials were written before it: a hole is a trial that was lost
)
MOST, SHOWN = 1000, 5  # numbers of missing trials that are looked for, and listed
PART = 30_000  # characters of it per attribute: MySQL keeps 64 KiB, and quotes are escaped


def attributes_of(record: TrialRecord) -> dict[str, str]:
    """Return the user attributes that hold a record; `record_of` is the inverse."""
    text = json.dumps(record.to_json(), separators=(",", ":"))
    parts = [text[i : i + PART] for i in range(0, len(text), PART)]
    named = {RECORD + (f":{i}" if i else ""): part for i, part in enumerate(parts)}
    return named | {DIGEST: _digest(text)}


def numbers_of(trials: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the numbers of trials, given their attributes in the order of the storage.

    Trials of earlier versions say none: they are the first, and theirs are their places.
    """
    return [attributes.get(NUMBER, place) for place, attributes in enumerate(trials)]


def missing_of(numbers: Iterable[int]) -> tuple[int, ...]:
    """Return the numbers below the highest that no trial has, `MOST` of them at most.

    One that was written twice has one number.
    """
    found = set(numbers)
    holes = (n for n in range(max(found, default=-1)) if n not in found)
    return tuple(islice(holes, MOST))


def lost(missing: Sequence[int]) -> str:
    """Return in words that trials are missing, and what helps.

    Args:
        missing: their numbers, counted from 0 in the order of finishing.
    """
    which = ", ".join(map(str, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
    more = " or more" if len(missing) == MOST else ""
    return (
        f"finished trials that are not in the storage any more: {len(missing)}{more}"
        f" (by order of finishing, from 0: {which}); restore it from a copy"
    )


def record_of(attributes: Mapping[str, Any]) -> TrialRecord:
    """Return the record in the user attributes of an Optuna trial.

    Raises:
        ValueError: it is damaged; other exceptions where it was written without its digest, by dse 0.1.
    """
    first = attributes[RECORD]
    if isinstance(first, TrialRecord):  # read by `dse.store.journal`
        return first
    if not isinstance(first, str):  # written by dse 0.1: JSON values
        return TrialRecord.from_json(first)
    rest = (
        attributes[f"{RECORD}:{i}"]
        for i in range(1, len(attributes))
        if f"{RECORD}:{i}" in attributes
    )
    text = first + "".join(rest)
    if attributes.get(DIGEST, _digest(text)) != _digest(text):
        msg = "the record of a trial is not what was written"
        raise ValueError(msg)
    return TrialRecord.from_json(json.loads(text))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
