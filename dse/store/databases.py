"""Optuna storages by URL: a journal file, a database, or Redis."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dse.config.source import PASSWORD, masked
from dse.errors import DseError, UnreachableError

# SQLAlchemy's name of the driver that the `storage` extra installs
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
OPENINGS = 5  # tries, where others make the tables of a new database at the same moment
EXTRA = "pip install 'fpga-dse[storage]'"


def optuna_storage(storage: str, journal: Path) -> Any:
    """Open an Optuna storage.

    Args:
        storage: "file" or a URL; its password may be in DSE_STORAGE_PASSWORD.
        journal: the file, where it is one.

    Raises:
        UnreachableError: the driver is not installed, or the server does not answer.
    """
    import optuna
    from optuna.storages import JournalStorage

    from dse.store.journal import Journal, journal_storage

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if storage == "file":
        return journal_storage(Journal(journal))
    url = with_password(storage, os.environ.get(PASSWORD))
    try:
        with warnings.catch_warnings():  # Optuna calls its Redis backend experimental
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if url.startswith("redis"):
                from dse.store.redis_records import RedisRecords

                return JournalStorage(RedisRecords(url))
            return _database(with_driver(url))
    except ImportError as error:
        msg = f"the storage {storage} needs a driver that is not installed ({error}); {EXTRA}"
        raise UnreachableError(msg) from error
    except DseError:
        raise
    except Exception as error:  # drivers raise their own types
        msg = f"the storage {storage} cannot be opened: {cause(error)}"
        raise UnreachableError(msg) from error


def _database(url: str) -> Any:
    """Open a database, and make its tables where it is new.

    Of several studies that start at once on a new one, one makes them; the others fail over them
    half way (Optuna does not lock), and find them when they come again.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    for left in reversed(range(OPENINGS)):
        try:
            # a connection that a restarted server has dropped is replaced before it is used
            return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            raced = isinstance(error, IntegrityError) or "already exists" in str(error)
            if not raced or not left:
                raise
        time.sleep(0.1)
    raise AssertionError


def close(storage: Any) -> None:
    """Give back the connections of a storage."""
    from optuna.storages import RDBStorage

    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def with_driver(url: str) -> str:
    """Name the driver of a URL that leaves the choice open."""
    scheme, separator, rest = url.partition("://")
    return DRIVERS.get(scheme, scheme) + separator + rest


def with_password(url: str, password: str | None) -> str:
    """Put the password of the environment, as it is, into a URL that names a user without one."""
    scheme, _, rest = url.partition("://")
    user, at, host = rest.partition("@")
    if not password or not at or ":" in user:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}"


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on to the bottom."""
    below: BaseException | None = error
    while below is not None:
        yield below
        below = below.__cause__


def cause(error: BaseException) -> str:
    """Return the first line of what lies at the bottom of an error, without passwords."""
    *_, bottom = chain(error)
    return masked(str(bottom)).strip().partition("\n")[0] or type(bottom).__name__
