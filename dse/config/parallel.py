"""`parallel`: where candidates are evaluated, and what each of them takes."""

from __future__ import annotations

import re

from dse.config.complaints import Complaints, did_you_mean
from dse.config.quantities import kibibytes, seconds
from dse.config.read import Kind, entries, keys, quantity, scalar, whole
from dse.config.tree import Map, Node, Scalar, describe
from dse.config.values import Parallel

PARALLEL = keys("parallel", ("ray", "workers", "cpus", "gpus", "memory", "timeout", "retries"))
GPUS = keys("parallel.gpus", ("finetune",), needed={"finetune": "{finetune: 0.25}"})
ADDRESS = re.compile(r"[\w.-]+:\d{1,5}")
TIMEOUT = Kind(
    noun="a time",
    unit="a unit of time",
    convert=seconds,
    low=1e-3,
    high=3.2e9,  # a century
    bounds="1 ms or more",
    examples="'15 min', '2 h' or '3 d'",
)
MEMORY = Kind(
    noun="a size",
    unit="a unit of size",
    convert=kibibytes,
    low=1024.0,
    high=2.0**40,
    bounds="1 MiB or more",
    examples="'500 MiB' or '4 GiB'",
)


def parallel_of(node: Node, complaints: Complaints) -> Parallel:
    """Read where candidates are evaluated."""
    found = {k: e.value for k, e in entries(node, PARALLEL, complaints).items()}
    default = Parallel()
    ray, workers, timeout = default.ray, default.workers, default.timeout_s
    retries: int | None = default.retries
    cpus: int | None = default.cpus
    gpus: float | None = default.gpus
    memory: float | None = None
    if "ray" in found and (word := scalar(found["ray"], "ray", complaints)) is not None:
        ray = word.text
        if ray not in ("local", "auto") and not ADDRESS.fullmatch(ray):
            message = f"ray is local, auto or host:port, not {describe(word)}"
            hint = did_you_mean(ray, ("local", "auto"))
            complaints.add(word.span, "bad-value", message, hint)
    if "workers" in found:
        value = found["workers"]
        if not (isinstance(value, Scalar) and value.text == "cores"):
            workers = whole(value, "workers", 1, 4096, complaints, ["or `workers: cores`"])
    if "cpus" in found:
        cpus = whole(found["cpus"], "cpus", 1, 1024, complaints)
    if "gpus" in found:
        gpus = _gpus(found["gpus"], complaints)
    if "memory" in found:
        memory = quantity(found["memory"], "memory", MEMORY, complaints)
    if "timeout" in found:
        timeout = quantity(found["timeout"], "timeout", TIMEOUT, complaints)
    if "retries" in found:
        retries = whole(found["retries"], "retries", 0, 100, complaints)
    return Parallel(ray, workers, timeout, retries or 0, cpus or 1, gpus or 0.0, memory)


def _gpus(node: Node, complaints: Complaints) -> float | None:
    """Return a number of GPUs: a fraction of one, or whole ones, as Ray can give them.

    Only trainings run on workers, so `{finetune: 0.25}` is the same as 0.25.
    """
    if isinstance(node, Map):
        stage = entries(node, GPUS, complaints).get("finetune")
        return None if stage is None else _gpus(stage.value, complaints)
    found = scalar(node, "gpus", complaints)
    if found is None:
        return None
    value = found.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    share = float(value) if isinstance(value, int | float) and number else -1.0
    if 0 <= share <= 1 or share in range(1025):
        return share
    message = f"gpus is 0, a fraction of one GPU or a whole number of them, not {describe(found)}"
    complaints.add(
        found.span, "out-of-range" if number else "bad-value", message, "write for example 0.25"
    )
    return None
