"""The lock of a study folder: who looks is never in the way, and never writes."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any

import pytest

from dse.errors import UsageError
from dse.store.lock import DriverLock


def test_a_driver_starts_while_others_look(tmp_path: Path) -> None:
    lock, ended = DriverLock(tmp_path / "driver.lock"), threading.Event()
    lock.hold()
    lock.release()

    def look() -> None:
        while not ended.is_set():
            DriverLock(tmp_path / "driver.lock").is_held()

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(50):
        lock.hold()
        assert DriverLock(tmp_path / "driver.lock").is_held()
        assert lock.release()
    ended.set()
    for reader in readers:
        reader.join()
    assert not lock.is_held()


def test_a_study_in_a_read_only_folder_is_not_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "driver.lock"
    path.touch()
    whole = Path.open

    def read_only(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if set(mode) & set("wax+"):
            raise OSError(errno.EROFS, "Read-only file system", str(self))
        return whole(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", read_only)
    assert not DriverLock(path).is_held()
    assert DriverLock(path).holder() is None
    with pytest.raises(UsageError, match=r"driver\.lock cannot be written: Read-only file system"):
        DriverLock(path).hold()
