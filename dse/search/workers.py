"""Where trainings run: in this process, or on Ray. Both give the same results for the same tasks."""

from __future__ import annotations

import contextlib
import io
import math
import os
import platform
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import dse
from dse.config.source import printable
from dse.config.values import Parallel
from dse.errors import DseError, UnreachableError
from dse.search.loopback import loopback
from dse.search.tasks import TrainingContext, TrainingResult, TrainingTask, train

PACKAGES = Path(dse.__file__).parents[1]  # where dse itself was imported from
# what a task asks for -> what a cluster calls it
RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended: a result, or the reason why there is none."""

    key: int
    result: TrainingResult | None
    error: str | None


class Workers(Protocol):
    """Runs trainings; `capacity` of them at once."""

    capacity: int

    def submit(self, key: int, task: TrainingTask) -> None:
        """Begin a task under a key of the caller's."""

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Return the tasks that ended, waiting at most `timeout_s` for the first."""

    def cancel(self) -> None:
        """Drop everything that runs."""

    def close(self) -> None:
        """Give everything back."""


class InlineWorkers:
    """One process, no Ray: for debuggers, tests, and machines where Ray cannot start.

    Tasks run one after another inside `poll`; a timeout cannot interrupt them.
    """

    capacity = 1

    def __init__(self, context: TrainingContext) -> None:
        """Use `context` for every task."""
        self._context = context
        self._queue: deque[tuple[int, TrainingTask]] = deque()

    def submit(self, key: int, task: TrainingTask) -> None:
        """Queue a task."""
        self._queue.append((key, task))

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Run the next task."""
        del timeout_s
        if not self._queue:
            return []
        key, task = self._queue.popleft()
        try:
            return [Outcome(key, train(self._context, task), None)]
        except Exception as error:  # noqa: BLE001 - any failure is a failed trial with its reason
            return [Outcome(key, None, reason(error))]

    def cancel(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True)
class _Flight:
    key: int
    task: TrainingTask
    begun: float
    attempts: int


Compute = Callable[[Any, TrainingTask], TrainingResult]


def _train_on_ray(context: TrainingContext, task: TrainingTask) -> TrainingResult:
    return train(context, task)


class RayWorkers:
    """Ray tasks; lost workers are retried, overlong tasks cancelled.

    No more tasks are handed to Ray than there is room for: what waits can be dropped at once, and a timeout counts
    from the moment when a task has its worker.

    Ray prints to stdout whatever it is told, so stdout is a sink while it runs: data must be written
    through a handle that was taken before.
    """

    def __init__(
        self, context: TrainingContext, parallel: Parallel, compute: Compute = _train_on_ray
    ) -> None:
        """Start or join Ray.

        Args:
            context: of all tasks; handed over once.
            parallel: where, how many, and what each of them takes.
            compute: what runs on the workers.

        Raises:
            UnreachableError: no Ray there, or one without room for a single task.
        """
        self._parallel = parallel
        self._stdout = sys.stdout
        sys.stdout = io.StringIO()
        try:
            self._ray, self.capacity = _start(parallel)
        except BaseException:
            sys.stdout = self._stdout
            raise
        self._context = self._ray.put(context)
        self._run = self._ray.remote(max_retries=0, **_needs(parallel))(compute)
        self._queue: deque[tuple[int, TrainingTask]] = deque()
        self._flights: dict[Any, _Flight] = {}

    def submit(self, key: int, task: TrainingTask) -> None:
        """Begin a task, or queue it while all workers are busy."""
        self._queue.append((key, task))
        self._fill()

    def _fill(self) -> None:
        while self._queue and len(self._flights) < self.capacity:
            key, task = self._queue.popleft()
            self._launch(_Flight(key, task, time.monotonic(), 1))

    def _launch(self, flight: _Flight) -> None:
        self._flights[self._run.remote(self._context, flight.task)] = flight

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Return the tasks that ended; requeue those whose worker died."""
        if not self._flights:
            return []
        done, _ = self._ray.wait(list(self._flights), num_returns=1, timeout=timeout_s)
        outcomes = [o for ref in done if (o := self._land(ref)) is not None]
        limit = self._parallel.timeout_s
        if limit is not None:
            for ref, flight in list(self._flights.items()):
                if time.monotonic() - flight.begun > limit:
                    self._ray.cancel(ref, force=True)
                    del self._flights[ref]
                    outcomes.append(Outcome(flight.key, None, f"timeout ({limit:g} s)"))
        self._fill()
        return outcomes

    def _land(self, ref: Any) -> Outcome | None:
        errors = self._ray.exceptions
        flight = self._flights.pop(ref)
        try:
            return Outcome(flight.key, self._ray.get(ref), None)
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            if flight.attempts <= self._parallel.retries:
                again = replace(flight, begun=time.monotonic(), attempts=flight.attempts + 1)
                self._launch(again)
                return None
            lost = f"worker lost {flight.attempts} times ({type(error).__name__})"
            return Outcome(flight.key, None, lost)
        except errors.RayTaskError as error:
            return Outcome(flight.key, None, reason(error.cause or error))
        except errors.RayError as error:
            return Outcome(flight.key, None, reason(error))

    def cancel(self) -> None:
        """Cancel what runs, forget what is queued."""
        self._queue.clear()
        for ref in self._flights:
            self._ray.cancel(ref, force=True)
        self._flights.clear()

    def close(self) -> None:
        """Shut Ray down, and give stdout back."""
        self._ray.shutdown()
        sys.stdout = self._stdout


def checked(outcome: Outcome) -> Outcome:
    """Return the outcome; a failure where its accuracy is not a number."""
    if outcome.result is None or math.isfinite(outcome.result.validation_accuracy):
        return outcome
    return Outcome(outcome.key, None, "the accuracy is not a number")


def reason(error: BaseException) -> str:
    """Return one line saying why a training failed."""
    text = printable(" ".join(str(error).split())) or "no message"
    return text if isinstance(error, DseError) else f"{type(error).__name__}: {text}"


def try_ray(parallel: Parallel) -> str:
    """Start or join Ray, have a worker run one task, and leave.

    Returns:
        What there is, in words.

    Raises:
        UnreachableError: no Ray there, or one without room for a single task.
    """
    stdout, sys.stdout = sys.stdout, io.StringIO()
    begun = time.monotonic()
    try:
        ray, room = _start(parallel)
        try:
            version = ray.get(
                ray.remote(max_retries=0, **_needs(parallel))(platform.python_version).remote()
            )
            nodes = sum(1 for node in ray.nodes() if node["Alive"])
        finally:
            ray.shutdown()
    finally:
        sys.stdout = stdout
    seconds = time.monotonic() - begun
    return (
        f"{room} trials at once on {nodes} nodes, Python {version} there; {seconds:.0f} s to start"
    )


def wanted_workers(parallel: Parallel) -> int:
    """Return how many candidates to evaluate at once on this machine, as far as the study file leaves it open."""
    return parallel.workers or max(1, (os.cpu_count() or 1) // parallel.cpus)


def _start(parallel: Parallel) -> tuple[Any, int]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # inherited by the workers
    local = parallel.ray == "local"
    token = any(os.environ.get(n) for n in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if local or token or os.path.exists(os.path.expanduser("~/.ray/auth_token")):  # noqa: PTH110, PTH111
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    probe(parallel)
    import ray

    if ray.is_initialized():
        msg = (
            "this process is at work on Ray already; close those workers before others are started"
        )
        raise UnreachableError(msg)
    wanted = wanted_workers(parallel)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        # Ray lets workers import what lies in the current folder, before what is installed: a brevitas.py beside a
        # study file would run. Nothing is there that dse does not import anyway.
        with contextlib.chdir(PACKAGES):
            if local:
                with loopback():
                    ray.init(
                        address="local",
                        num_cpus=wanted * parallel.cpus,
                        include_dashboard=False,
                        object_store_memory=256 * 2**20,
                        _node_ip_address="127.0.0.1",
                        **quiet,
                    )
            else:
                ray.init(address=parallel.ray, **quiet)
    except Exception as error:  # Ray raises many types while starting
        ray.shutdown()  # else a second try finds itself half joined
        msg = (
            f"Ray ({parallel.ray}) cannot be reached: {reason(error)}."
            " `--inline` runs without Ray; `ray start --head` starts a cluster"
        )
        raise UnreachableError(msg) from error
    has = ray.cluster_resources()
    room = _room(parallel, has)
    if not room:
        ray.shutdown()
        msg = (
            f"Ray ({parallel.ray}) has no room for one trial, which takes {_listed(_needs(parallel))}:"
            f" it has {_listed({k: has.get(r, 0) for k, r in RESOURCES.items()})};"
            " lower parallel.cpus, gpus or memory, or add nodes"
        )
        raise UnreachableError(msg)
    return ray, parallel.workers or room


def _needs(parallel: Parallel) -> dict[str, float]:
    """Return what a task takes, as Ray names it."""
    found: dict[str, float] = {"num_cpus": parallel.cpus, "num_gpus": parallel.gpus}
    if parallel.memory_kib is not None:
        found["memory"] = parallel.memory_kib * 1024
    return found


def _room(parallel: Parallel, has: Mapping[str, float]) -> int:
    """Return how many tasks fit at once into what Ray has in all."""
    needs = _needs(parallel)
    return int(min(has.get(RESOURCES[k], 0.0) / n for k, n in needs.items() if n) + 1e-9)


def _listed(amounts: Mapping[str, float]) -> str:
    """Return amounts in words: 2 CPUs, 0.5 GPUs, 4 GiB of memory."""
    units = {"num_cpus": (1, "CPUs"), "num_gpus": (1, "GPUs"), "memory": (2**30, "GiB of memory")}
    return ", ".join(f"{n / units[k][0]:.3g} {units[k][1]}" for k, n in amounts.items())


def probe(parallel: Parallel) -> None:
    """Raise UnreachableError where `ray: host:port` is asked for and nothing listens there."""
    address = parallel.ray
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except (OSError, ValueError) as error:
        msg = f"nothing answers at the Ray address {address} ({error}); is the cluster up?"
        raise UnreachableError(msg) from None
