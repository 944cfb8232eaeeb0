"""Trainings on Ray: the same results as inline, lost workers retried, overlong tasks cancelled."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
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
from dse.search.tasks import TrainingContext, TrainingResult, TrainingTask
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
    """Ray workers that are training, by their process title."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"ray::_train_on_ray"):
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def ray_workers(context: TrainingContext) -> Iterator[RayWorkers]:
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
    assert len(killed) == 2
    assert [(o.key, o.result) for o in outcomes] == [(1, None)]
    assert "worker lost 2 times" in (outcomes[0].error or "")


@pytest.mark.slow
def test_an_overlong_task_is_cancelled_and_the_others_go_on(
    context: TrainingContext, ray_workers: RayWorkers
) -> None:
    short = replace(ray_workers._parallel, timeout_s=15)
    ray_workers._parallel = short
    ray_workers.submit(1, task(context, 2, FOREVER))
    ray_workers.submit(2, task(context, 4))
    found = collect(ray_workers, 2)
    assert found[1].error == "timeout (15 s)"
    assert found[2].result is not None


@pytest.mark.slow
def test_a_failing_training_is_reported_with_its_reason(ray_workers: RayWorkers) -> None:
    nothing = TrainingTask({}, 1, None)
    ray_workers.submit(3, nothing)
    (outcome,) = collect(ray_workers, 1).values()
    assert outcome.result is None
    assert outcome.error


def compute_nothing(context: Any, task: TrainingTask) -> TrainingResult:
    return TrainingResult(context, None, None, str(os.environ["RAY_TEST_WHERE"]), task.epochs)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Ray head node of its own, on loopback, with two cores and half a GPU's worth of pretence."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *(f"--port={port}", "--num-cpus=2", "--num-gpus=1"),
        *("--include-dashboard=false", "--disable-usage-stats", f"--object-store-memory={2**27}"),
    ]
    head = subprocess.Popen(
        command,
        env=os.environ | {"RAY_TEST_WHERE": "cluster", "RAY_raylet_start_wait_time_s": "120"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and head.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield address
    finally:
        head.terminate()
        head.wait(timeout=60)


def joined(parallel: Parallel) -> RayWorkers:
    """Workers of a cluster whose head answers before its node has joined."""
    until = time.monotonic() + 90
    while True:
        try:
            return RayWorkers(0.5, parallel, compute_nothing)  # type: ignore[arg-type]
        except UnreachableError as error:
            if "no room" in str(error) or time.monotonic() > until:
                raise


@pytest.mark.slow
def test_a_cluster_gives_each_trial_what_it_asks_for(cluster: str) -> None:
    workers = joined(Parallel(ray=cluster, cpus=1, gpus=0.25))
    try:
        assert workers.capacity == 2
        for key in range(5):
            workers.submit(key, TrainingTask({}, key, None))
        found = collect(workers, 5)
    finally:
        workers.close()
    assert {k: o.error for k, o in found.items()} == dict.fromkeys(range(5))
    results = {k: o.result for k, o in found.items()}
    assert all(r is not None and r.accelerator_digest == "cluster" for r in results.values())
    assert {k: r.seconds for k, r in results.items() if r} == {k: k for k in range(5)}
    with pytest.raises(
        UnreachableError, match=r"no room for one trial.*2 GPUs.*it has 2 CPUs, 1 GPUs"
    ):
        joined(Parallel(ray=cluster, gpus=2))
