"""Where trainings run: in this process, or on Ray. Both give the same results for the same tasks."""

from __future__ import annotations

import io
import os
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

from dse.config.values import Parallel
from dse.errors import DseError, UnreachableError
from dse.search.tasks import TrainingContext, TrainingResult, TrainingTask, train


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


class RayWorkers:
    """Ray tasks, one core each; lost workers are retried, overlong tasks cancelled.

    Ray prints to stdout whatever it is told, so stdout is a sink while it runs: data must be written
    through a handle that was taken before.
    """

    def __init__(self, context: TrainingContext, parallel: Parallel) -> None:
        """Start or join Ray.

        Raises:
            UnreachableError: no Ray there.
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
        self._run = self._ray.remote(num_cpus=1, max_retries=0)(_train_single_threaded)
        self._queue: deque[tuple[int, TrainingTask]] = deque()
        self._flights: dict[Any, _Flight] = {}

    def submit(self, key: int, task: TrainingTask) -> None:
        """Begin a task, or queue it while all workers are busy (a timeout counts from its beginning)."""
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


def reason(error: BaseException) -> str:
    """Return one line saying why a training failed."""
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, DseError) else f"{type(error).__name__}: {text}"


def _train_single_threaded(context: TrainingContext, task: TrainingTask) -> TrainingResult:
    return train(context, task)


def _start(parallel: Parallel) -> tuple[Any, int]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # inherited by the workers
    local = parallel.ray == "local"
    token = any(os.environ.get(n) for n in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if local or token or os.path.exists(os.path.expanduser("~/.ray/auth_token")):  # noqa: PTH110, PTH111
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    probe(parallel)
    import ray

    wanted = parallel.workers or os.cpu_count() or 1
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if local:
            ray.init(
                address="local",
                num_cpus=wanted,
                include_dashboard=False,
                object_store_memory=256 * 2**20,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
            return ray, wanted
        ray.init(address=parallel.ray, **quiet)
    except Exception as error:  # Ray raises many types while starting
        msg = (
            f"Ray ({parallel.ray}) cannot be reached: {reason(error)}."
            " `--inline` runs without Ray; `ray start --head` starts a cluster"
        )
        raise UnreachableError(msg) from error
    return ray, parallel.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))


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
