"""Starting or joining Ray, and what there is room for."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dse
from dse.config.source import printable
from dse.config.values import Parallel
from dse.errors import DseError, UnreachableError
from dse.search.loopback import loopback

PACKAGES = Path(dse.__file__).parents[1]  # where dse itself was imported from
# what a task asks for -> what a cluster calls it
RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


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
        ray, room = start(parallel)
        try:
            version = ray.get(
                ray.remote(max_retries=0, **needs(parallel))(platform.python_version).remote()
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


def start(parallel: Parallel) -> tuple[Any, int]:
    """Start Ray, or join it.

    Returns:
        Ray, and how many tasks run at once.

    Raises:
        UnreachableError: no Ray there, or one without room for a single task.
    """
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
    room = room_in(parallel, has)
    if not room:
        ray.shutdown()
        msg = (
            f"Ray ({parallel.ray}) has no room for one trial, which takes {_listed(needs(parallel))}:"
            f" it has {_listed({k: has.get(r, 0) for k, r in RESOURCES.items()})};"
            " lower parallel.cpus, gpus or memory, or add nodes"
        )
        raise UnreachableError(msg)
    return ray, parallel.workers or room


def needs(parallel: Parallel) -> dict[str, float]:
    """Return what a task takes, as Ray names it."""
    found: dict[str, float] = {"num_cpus": parallel.cpus, "num_gpus": parallel.gpus}
    if parallel.memory_kib is not None:
        found["memory"] = parallel.memory_kib * 1024
    return found


def room_in(parallel: Parallel, has: Mapping[str, float]) -> int:
    """Return how many tasks fit at once into what Ray has in all."""
    asked = needs(parallel)
    return int(min(has.get(RESOURCES[k], 0.0) / n for k, n in asked.items() if n) + 1e-9)


def _listed(amounts: Mapping[str, float]) -> str:
    """Return amounts in words: 2 CPUs, 0.5 GPUs, 4 GiB of memory."""
    units = {"num_cpus": (1, "CPUs"), "num_gpus": (1, "GPUs"), "memory": (2**30, "GiB of memory")}
    return ", ".join(f"{n / units[k][0]:.3g} {units[k][1]}" for k, n in amounts.items())


def probe(parallel: Parallel) -> None:
    """Raise UnreachableError where `ray: host:port` is asked for and nothing listens there."""
    address = parallel.ray
    if address in ("local", "auto"):
        return
    try:
        _connect(address)
    except (OSError, ValueError) as error:
        msg = f"nothing answers at the Ray address {address} ({error}); is the cluster up?"
        raise UnreachableError(msg) from None


def answers(address: str) -> bool:
    """Whether something listens at host:port."""
    try:
        _connect(address)
    except OSError:
        return False
    return True


def _connect(address: str) -> None:
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=3).close()
