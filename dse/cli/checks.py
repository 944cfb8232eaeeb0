"""What `dse doctor` looks at: each check says ok, warn, FAIL, or -- for what is not there and not needed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dse import __version__
from dse.errors import DseError

OK, WARN, FAIL, NONE = "ok", "warn", "FAIL", "--"
PACKAGES = ("numpy", "optuna", "ray", "torch", "brevitas", "plotly")
PYTHON = ((3, 11), (3, 14))
SHM_BYTES = 512 * 2**20  # the object store of a local Ray is 256 MiB
DISK_BYTES = 2**30
# program -> what works with it, where it is absent
TOOLS = {
    "g++": "`dse verify` of HLS projects",
    "make": "`dse verify`",
    "iverilog": "simulation of Verilog by Icarus",
    "tclsh": "tests of the emitted Tcl",
    "chromium": "tests of the report",
    "vitis_hls": "`dse synth` of HLS projects, `synthesise: {tool: vitis_hls}`",
    "vivado": "`dse synth --tool vivado`",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `dse doctor`."""

    name: str
    level: str  # OK, WARN, FAIL or NONE
    text: str


def examine(root: Path, ray: str | None, storage: str | None) -> Iterator[Check]:
    """Yield all checks.

    Args:
        root: where studies live.
        ray: an address to try; None: Ray is not started.
        storage: a URL to try.
    """
    yield _python()
    yield from _packages()
    yield _shared_memory()
    yield _disk(root)
    yield from _tools()
    yield _yosys()
    yield _gpus()
    if ray is not None:
        yield _ray(ray)
    if storage is not None:
        yield _storage(storage)
    yield from _studies(root)


def _python() -> Check:
    version = platform.python_version()
    major_minor = tuple(int(p) for p in platform.python_version_tuple()[:2])
    if PYTHON[0] <= major_minor < PYTHON[1]:
        return Check("python", OK, f"python {version}, dse {__version__}, {platform.machine()}")
    return Check("python", FAIL, f"python {version}: dse needs 3.11 to 3.13")


def _packages() -> Iterator[Check]:
    found, absent = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    if found:
        yield Check("packages", OK, ", ".join(found))
    if absent:
        text = f"{', '.join(absent)} not installed: pip install fpga-dse brings them"
        yield Check("packages", FAIL, text)
    storages = {"psycopg": "PostgreSQL", "pymysql": "MySQL", "redis": "Redis"}
    none = [what for module, what in storages.items() if importlib.util.find_spec(module) is None]
    if none:
        text = f"no driver of {', '.join(none)}: pip install 'fpga-dse[storage]'"
        yield Check("drivers", NONE, text)


def _shared_memory() -> Check:
    path = Path("/dev/shm")
    if not path.is_dir():
        return Check("shared-memory", NONE, "no /dev/shm: Ray keeps its objects on disk")
    free = shutil.disk_usage(path).free
    if free >= SHM_BYTES:
        return Check("shared-memory", OK, f"/dev/shm has {_mib(free)} free")
    text = f"/dev/shm has {_mib(free)}; Ray falls back to disk. In Docker: --shm-size=1g"
    return Check("shared-memory", WARN, text)


def _disk(root: Path) -> Check:
    """Write a file where studies would be written; nothing stays."""
    there = root.resolve()
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there) as handle:
            handle.write(b"dse")
    except OSError as error:
        text = f"{root} cannot be written ({error.strerror}); name another folder with -C"
        return Check("disk", FAIL, text)
    free = shutil.disk_usage(there).free
    level = OK if free >= DISK_BYTES else WARN
    return Check("disk", level, f"{root} can be written, {_mib(free)} free")


def _tools() -> Iterator[Check]:
    for name, use in TOOLS.items():
        path = shutil.which(name)
        if path is not None:
            yield Check(name, OK, f"{name}: {path}")
        else:
            yield Check(name, NONE, f"{name} not found; without it: no {use}")


def _yosys() -> Check:
    from dse.emit.synth_yosys import find

    try:
        found = find()
    except DseError as error:
        return Check("yosys", NONE, str(error))
    return Check("yosys", OK, f"yosys {found.version} ({Path(found.command[0]).name})")


def _gpus() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("gpu", NONE, "no torch, so no GPU")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return Check(
            "gpu", NONE, f"torch {torch.__version__} sees no GPU; training runs on the CPU"
        )
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(count))
    return Check("gpu", OK, f"{count} GPU: {names}")


def _ray(address: str) -> Check:
    from dse.config.values import Parallel
    from dse.search.cluster import try_ray

    try:
        text = try_ray(Parallel(ray=address, workers=1))
    except DseError as error:
        return Check("ray", FAIL, str(error))
    return Check("ray", OK, f"ray {address}: {text}")


def _storage(url: str) -> Check:
    from dse.config.source import masked
    from dse.store.databases import close, optuna_storage

    shown = masked(url)
    try:
        with tempfile.TemporaryDirectory() as folder:
            opened = optuna_storage(url, Path(folder) / "journal.log")
            count = len(opened.get_all_studies())
            close(opened)
    except DseError as error:
        return Check("storage", FAIL, masked(str(error)))
    return Check("storage", OK, f"storage {shown} answers; studies in it: {count}")


def _studies(root: Path) -> Iterator[Check]:
    """Check the journal of every study, and what a killed driver left."""
    from dse.cli.output import study_names
    from dse.store import Store, lost

    for name in study_names(root):
        folder = root / name
        store = Store(folder, "file")
        try:
            store.header()
            trials = len(store.records(name)) if store.journal.exists() else 0
        except DseError as error:
            yield Check(f"study {name}", FAIL, str(error))
            continue
        held = store.holder()
        if held is not None:
            text = f"{name}: process {held.process} on {held.host} is running it, {trials} trials"
            yield Check(f"study {name}", OK, text)
            continue
        if store.missing:
            yield Check(f"study {name}", WARN, f"{name}: {trials} trials; {lost(store.missing)}")
            continue
        left = [*folder.glob("journal.log.lock*")]
        torn = store.journal.exists() and not store.journal.read_bytes().endswith(b"\n") and trials
        if left or torn:
            text = f"{name}: its driver was killed; `dse run` repairs what it left and continues"
            yield Check(f"study {name}", WARN, text)
        else:
            yield Check(f"study {name}", OK, f"{name}: {trials} trials, journal intact")


def _mib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
