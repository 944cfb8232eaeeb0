"""The records of studies in a Redis server, as Optuna's journal keeps them there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from optuna.storages.journal import JournalRedisBackend

from dse.errors import UnreachableError

BATCH = 500  # records per question


class RedisRecords(JournalRedisBackend):  # type: ignore[misc]  # Optuna is not typed here
    """Reads many records at once, and notices when the server has lost some.

    Optuna asks for one at a time, and waits for a record that is not there without end. It also keeps a pickle there,
    to start faster: whoever may write to the server could have it run code here, so that is neither read nor written.
    """

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the records from a number on.

        Raises:
            UnreachableError: records that were there are gone.
        """
        last = self._redis.get(f"{self._prefix}:log_number")
        count = 0 if last is None else int(last) + 1
        if count < log_number_from:  # as many have been read, or written, by this process
            raise _lost(log_number_from, count)
        for first in range(log_number_from, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            found = self._redis.mget([self._key_log_id(n) for n in numbers])
            for number, log in zip(numbers, found, strict=True):
                if log is None:  # number and record are written in one step
                    raise _lost(count, number)
                yield json.loads(log)

    def load_snapshot(self) -> None:
        """Return nothing."""

    def save_snapshot(self, snapshot: bytes) -> None:
        """Keep nothing."""


def _lost(had: int, has: int) -> UnreachableError:
    msg = (
        f"the Redis server has lost records: it had {had}, and now {has} in a row. It must keep them on disk"
        " (appendonly yes) and evict nothing (maxmemory-policy noeviction); restore its data, or go on under"
        " another study name"
    )
    return UnreachableError(msg)
