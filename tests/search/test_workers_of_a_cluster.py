"""Trainings on a Ray cluster that runs already: each trial gets what it asks for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dse.config.values import Parallel
from dse.errors import UnreachableError
from dse.search import workers as workers_module
from dse.search.tasks import TrainingResult, TrainingTask
from dse.search.workers import Compute, Outcome, RayWorkers


def compute_slowly(context: Any, task: TrainingTask) -> TrainingResult:
    time.sleep(task.epochs)
    return compute_nothing(context, task)


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


def collected(workers: RayWorkers, count: int) -> dict[int, Outcome]:
    found: dict[int, Outcome] = {}
    until = time.monotonic() + 120
    while len(found) < count and time.monotonic() < until:
        found |= {o.key: o for o in workers.poll(0.2)}
    return found


def joined(parallel: Parallel, compute: Compute = compute_nothing) -> RayWorkers:
    """Workers of a cluster whose head answers before its node has joined."""
    until = time.monotonic() + 90
    while True:
        try:
            return RayWorkers(0.5, parallel, compute)  # type: ignore[arg-type]
        except UnreachableError as error:
            if "no room" in str(error) or time.monotonic() > until:
                raise


@pytest.mark.slow
def test_a_cluster_gives_each_trial_what_it_asks_for_until_it_is_lost(
    cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = joined(Parallel(ray=cluster, cpus=1, gpus=0.25))
    try:
        assert workers.capacity == 2
        for key in range(5):
            workers.submit(key, TrainingTask({}, key, None))
        found = collected(workers, 5)
    finally:
        workers.close()
    assert {k: o.error for k, o in found.items()} == dict.fromkeys(range(5))
    results = {k: o.result for k, o in found.items()}
    assert all(r is not None and r.accelerator_digest == "cluster" for r in results.values())
    assert {k: r.seconds for k, r in results.items() if r} == {k: k for k in range(5)}
    # where others are at work a task may wait for hours: only what runs has a time limit
    workers = joined(Parallel(ray=cluster, workers=4, timeout_s=7), compute_slowly)
    try:
        for key in range(4):
            workers.submit(key, TrainingTask({}, 4, None))
        assert {k: o.error for k, o in collected(workers, 4).items()} == dict.fromkeys(range(4))
    finally:
        workers.close()
    with pytest.raises(
        UnreachableError, match=r"no room for one trial.*2 GPUs.*it has 2 CPUs, 1 GPUs"
    ):
        joined(Parallel(ray=cluster, gpus=2))
    # a head that is really killed may take this process along, too
    monkeypatch.setattr(workers_module, "LOOK_S", 0.0)
    monkeypatch.setattr(workers_module, "HEADLESS_S", 0.0)
    workers = joined(Parallel(ray=cluster), compute_slowly)
    try:
        workers.submit(0, TrainingTask({}, 600, None))
        assert workers.poll(0.1) == []
        monkeypatch.setattr(workers_module, "answers", lambda address: False)
        with pytest.raises(UnreachableError, match="its head does not answer any more; what is"):
            workers.poll(0.1)
    finally:
        workers.close()
