"""Where trainings run: in this process, or on Ray. Both give the same results for the same tasks."""

from __future__ import annotations

import io
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Protocol

from dse.config.values import Parallel
from dse.errors import UnreachableError
from dse.search.cluster import answers, needs, reason, room_in, start
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


LOOK_S = 10.0  # how often a cluster is asked for its nodes
ROOMLESS_S = 120.0  # how long one may be without any room for a task
HEADLESS_S = 30.0  # and its head silent; after 60 s Ray ends the process, without a word to it


@dataclass(slots=True)
class _Flight:
    key: int
    task: TrainingTask
    attempts: int
    begun: float | None = None  # None: no worker has it yet


Compute = Callable[[Any, TrainingTask], TrainingResult]


def _train_on_ray(context: TrainingContext, task: TrainingTask) -> TrainingResult:
    return train(context, task)


def _telling_when_it_begins(compute: Compute) -> Callable[[Any, TrainingTask], Iterator[Any]]:
    @wraps(compute)  # Ray calls the process after it
    def run(context: Any, task: TrainingTask) -> Iterator[Any]:
        yield None
        yield compute(context, task)

    return run


class RayWorkers:
    """Ray tasks; lost workers are retried, overlong tasks cancelled.

    No more tasks are handed to Ray than there is room for: what waits can be dropped at once. Others may work on a
    cluster too, so a task says when it has its worker, and its time counts from there. Nodes that join or leave a
    cluster are noticed; where its head is gone, or all nodes with room, the search ends, to be continued.

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
            self._ray, self.capacity = start(parallel)
        except BaseException:
            sys.stdout = self._stdout
            raise
        self._context = self._ray.put(context)
        self._run = self._ray.remote(max_retries=0, num_returns="streaming", **needs(parallel))(
            _telling_when_it_begins(compute)
        )
        self._queue: deque[tuple[int, TrainingTask]] = deque()
        self._flights: dict[Any, _Flight] = {}
        self._head = str(self._ray.get_runtime_context().gcs_address)
        self._looked = self._heard = self._had_room = time.monotonic()

    def submit(self, key: int, task: TrainingTask) -> None:
        """Begin a task, or queue it while all workers are busy."""
        self._queue.append((key, task))
        self._fill()

    def _fill(self) -> None:
        while self._queue and len(self._flights) < self.capacity:
            key, task = self._queue.popleft()
            self._launch(_Flight(key, task, 1))

    def _launch(self, flight: _Flight) -> None:
        self._flights[self._run.remote(self._context, flight.task)] = flight

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Return the tasks that ended; requeue those whose worker died.

        Raises:
            UnreachableError: the cluster is lost, or all nodes with room for a task are.
        """
        if not self._flights:
            return []
        self._look()
        news, _ = self._ray.wait(list(self._flights), num_returns=1, timeout=timeout_s)
        outcomes = [o for task in news if (o := self._land(task)) is not None]
        limit = self._parallel.timeout_s
        for running, flight in list(self._flights.items()):
            late = flight.begun is not None and time.monotonic() - flight.begun > (
                limit or math.inf
            )
            if late:
                self._ray.cancel(running, force=True)
                del self._flights[running]
                outcomes.append(Outcome(flight.key, None, f"timeout ({limit:g} s)"))
        self._fill()
        return outcomes

    def _look(self) -> None:
        """Take note of the nodes that joined or left, every now and then."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if answers(self._head):
            self._heard, room = now, room_in(self._parallel, self._ray.cluster_resources())
            if room:
                self._had_room = now
                self.capacity = self._parallel.workers or room
        lost = ""
        if now - self._heard > HEADLESS_S:
            lost = "its head does not answer any more"
        elif now - self._had_room > ROOMLESS_S:
            lost = "the nodes that had room for a trial are gone"
        if lost:
            msg = (
                f"Ray ({self._parallel.ray}) is lost: {lost}; what is finished is kept: run the same command"
                " again once it is back"
            )
            raise UnreachableError(msg)

    def _land(self, running: Any) -> Outcome | None:
        errors = self._ray.exceptions
        flight = self._flights.pop(running)
        try:
            found = self._ray.get(next(running))
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            if flight.attempts <= self._parallel.retries:
                self._launch(replace(flight, begun=None, attempts=flight.attempts + 1))
                return None
            lost = f"worker lost {flight.attempts} times ({type(error).__name__})"
            return Outcome(flight.key, None, lost)
        except errors.RayTaskError as error:
            return Outcome(flight.key, None, reason(error.cause or error))
        except errors.RayError as error:
            return Outcome(flight.key, None, reason(error))
        if flight.begun is None:
            flight.begun = time.monotonic()
            self._flights[running] = flight
            return None
        return Outcome(flight.key, found, None)

    def cancel(self) -> None:
        """Cancel what runs, forget what is queued."""
        self._queue.clear()
        for running in self._flights:
            self._ray.cancel(running, force=True)
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
