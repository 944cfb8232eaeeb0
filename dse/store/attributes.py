"""A record as attributes of an Optuna trial: its JSON text in parts, and a digest of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dse.ir.record import TrialRecord

RECORD = "dse"  # the user attribute of an Optuna trial that holds our record, as JSON text
DIGEST = f"{RECORD}:digest"  # of that text: a bit that flips on a disk is no other result
PART = 30_000  # characters of it per attribute: MySQL keeps 64 KiB, and quotes are escaped


def attributes_of(record: TrialRecord) -> dict[str, str]:
    """Return the user attributes that hold a record; `record_of` is the inverse."""
    text = json.dumps(record.to_json(), separators=(",", ":"))
    parts = [text[i : i + PART] for i in range(0, len(text), PART)]
    named = {RECORD + (f":{i}" if i else ""): part for i, part in enumerate(parts)}
    return named | {DIGEST: _digest(text)}


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
