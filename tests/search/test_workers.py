"""Trainings on Ray: the same results as inline, lost workers retried, overlong tasks cancelled."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dse.compression import canonical
from dse.config.values import DataConfig, Parallel
from dse.data import digits
from dse.errors import UnreachableError
from dse.ir.design import Compression
from dse.networks import digits_cnn
from dse.search.tasks import TrainingContext, TrainingTask
from dse.search.workers import InlineWorkers, Outcome, RayWorkers, Workers
from dse.training import pretrain

FOREVER = 100_000  # epochs


@pytest.fixture(scope="module")
def context() -> TrainingContext:
    data = digits.load(DataConfig("digits", limit={"train": 200, "validation": 50}), 0)
    network = digits_cnn.build(
        data.train.images.shape[1:], data.input_type, data.classes, width=0.25
    )
    return TrainingContext(network, data, pretrain(network, data, 1, 0).arrays(), 0)


def task(context: TrainingContext, bits: int, epochs: int = 1) -> TrainingTask:
    wanted = {
        layer.name: Compression(bits, bits, "bcr", 0.5, (4, 4))
        for layer in context.network.matrix_layers
    }
    return TrainingTask(canonical(context.network, wanted), epochs, None, final=True)


def collect(workers: Workers, count: int, seconds: float = 120) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    until = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        found |= {o.key: o for o in workers.poll(0.2)}
    return found


def training_processes() -> list[int]:
    """Ray workers below this process that are training, by their process title."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"ray::_train_on_ray") and is_below(int(entry.name)):
                found.append(int(entry.name))
    return found


def is_below(pid: int) -> bool:
    """Whether a process descends from this one: the machine may run other studies."""
    while pid > 1 and pid != os.getpid():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == os.getpid()


def listening() -> set[str]:
    """The addresses, in hexadecimal, at which this process and those below it accept TCP connections."""
    ours = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_below(int(entry.name)):
            for handle in (entry / "fd").iterdir():
                with contextlib.suppress(OSError):  # closed meanwhile
                    ours.add(str(handle.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in ours:  # TCP_LISTEN of Linux
                found.add(local.partition(":")[0])
    return found


@pytest.fixture(scope="module")
def ray_workers(
    context: TrainingContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RayWorkers]:
    """Workers of a run in a folder with files that are named like packages; none of them may be imported."""
    folder = tmp_path_factory.mktemp("somebody's")
    for name in ("brevitas", "sklearn", "PIL", "yaml"):
        (folder / f"{name}.py").write_text("raise ImportError('a file beside the study was run')\n")
    with contextlib.chdir(folder):
        workers = RayWorkers(context, Parallel(workers=2, timeout_s=60, retries=1))
    yield workers
    workers.close()


def test_inline_reports_the_reason_of_a_failure(context: TrainingContext) -> None:
    workers = InlineWorkers(replace(context, base={}))
    workers.submit(7, task(context, 2))
    (outcome,) = workers.poll(0)
    assert outcome.key == 7
    assert outcome.result is None
    assert outcome.error
    assert "\n" not in outcome.error


def test_no_ray_at_an_address_is_a_clear_error(context: TrainingContext) -> None:
    with pytest.raises(
        UnreachableError, match=r"nothing answers at the Ray address 127\.0\.0\.1:9"
    ):
        RayWorkers(context, Parallel(ray="127.0.0.1:9"))
    assert sys.stdout is not None


@pytest.mark.slow
def test_ray_gives_the_same_results_as_inline(
    context: TrainingContext, ray_workers: RayWorkers
) -> None:
    bits = (1, 2, 4)
    inline = InlineWorkers(context)
    for b in bits:
        ray_workers.submit(b, task(context, b))
    parallel = collect(ray_workers, len(bits))
    for b in bits:
        inline.submit(b, task(context, b))
        (alone,) = inline.poll(0)
        there: Any = parallel[b].result
        assert alone.result is not None
        assert there.accelerator_digest == alone.result.accelerator_digest
        assert there.validation_accuracy == alone.result.validation_accuracy
        assert there.test_accuracy == alone.result.test_accuracy


@pytest.mark.slow
def test_local_ray_is_reached_from_this_machine_only(
    context: TrainingContext, ray_workers: RayWorkers
) -> None:
    ray_workers.submit(5, task(context, 2))
    assert collect(ray_workers, 1)[5].result is not None  # a worker is there, too
    here = {
        "0100007F",
        "0000000000000000FFFF00000100007F",
    }  # 127.0.0.1, the bytes of a word reversed
    found = listening()
    assert found
    assert found <= here


@pytest.mark.slow
def test_a_killed_worker_is_retried_and_then_reported(
    context: TrainingContext, ray_workers: RayWorkers
) -> None:
    ray_workers.submit(1, task(context, 2, FOREVER))
    killed: set[int] = set()
    until = time.monotonic() + 120
    outcomes: list[Outcome] = []
    while not outcomes and time.monotonic() < until:
        for pid in set(training_processes()) - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        outcomes = ray_workers.poll(0.5)
    assert len(killed) >= 2  # a child that a worker had just forked may have its title, too
    assert [(o.key, o.result) for o in outcomes] == [(1, None)]
    assert "worker lost 2 times" in (outcomes[0].error or "")


@pytest.mark.slow
def test_an_overlong_task_is_cancelled_and_the_others_go_on(
    context: TrainingContext, ray_workers: RayWorkers
) -> None:
    """Both run; then the begin of one is put back by the limit, as if that time had passed."""
    ray_workers.submit(1, task(context, 2, FOREVER))
    ray_workers.submit(2, task(context, 4))
    found: dict[int, Outcome] = {}
    (overlong,) = (f for f in ray_workers._flights.values() if f.key == 1)
    until = time.monotonic() + 120
    while overlong.begun is None and time.monotonic() < until:
        found |= {o.key: o for o in ray_workers.poll(0.2)}
    assert overlong.begun is not None
    overlong.begun -= 60
    found |= collect(ray_workers, 2 - len(found))
    assert found[1].error == "timeout (60 s)"
    assert found[2].result is not None
    while training_processes() and time.monotonic() < until:  # it is stopped, not forgotten
        time.sleep(0.2)
    assert not training_processes()
    ray_workers.submit(3, task(context, 2))
    assert collect(ray_workers, 1)[3].result is not None


@pytest.mark.slow
def test_a_failing_training_is_reported_with_its_reason(ray_workers: RayWorkers) -> None:
    nothing = TrainingTask({}, 1, None)
    ray_workers.submit(3, nothing)
    (outcome,) = collect(ray_workers, 1).values()
    assert outcome.result is None
    assert outcome.error


@pytest.mark.slow
def test_second_workers_in_one_process_are_refused(
    context: TrainingContext, ray_workers: RayWorkers
) -> None:
    with pytest.raises(UnreachableError, match="at work on Ray already"):
        RayWorkers(context, Parallel(workers=1))
    ray_workers.submit(4, task(context, 2))
    assert collect(ray_workers, 1)[4].result is not None
