"""The truth that `benchmarks/search.py` judges by: every compression of two small spaces, trained.

Run: DSE_DATA=<folder with fashion_mnist.npz> python benchmarks/search_tables.py [digits] [fashion]
(ten minutes on one core; goes on where it was stopped)

For every compression that the space of benchmarks/data/<name>.yaml can express: the validation
accuracy of its integer network after a short training, and after that training was continued to the
end, each with its (wall) seconds. Written to benchmarks/data/<name>.csv, one line each; the lines that begin
with # say what was trained, by which versions. Delete the file to train all of it again.
"""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dse.config.load import load_config
from dse.ir.design import Compression, compression_digest
from dse.search.space import CYCLES, PREFERENCE, SearchSpace
from dse.search.study import Plan, plan, versions
from dse.search.tasks import TrainingContext, TrainingTask, train
from dse.training import pretrain

FOLDER = Path(__file__).parent / "data"
NAMES = ("digits", "fashion")
SHORT_EPOCHS = 2
COLUMNS = ("digest", "short_accuracy", "short_seconds", "accuracy", "full_seconds")


@dataclass(frozen=True, slots=True)
class Row:
    """Trainings of one compression; the seconds of the full one do not contain those of the short."""

    short_accuracy: float
    short_seconds: float
    accuracy: float
    full_seconds: float


def compressions(space: SearchSpace) -> dict[str, tuple[dict[str, Any], dict[str, Compression]]]:
    """Return every distinct compression by digest, with the first knob values that mean it."""
    knobs = [k for k in space.knobs if k.name not in (CYCLES, PREFERENCE)]
    found: dict[str, tuple[dict[str, Any], dict[str, Compression]]] = {}
    for values in itertools.product(*(k.values for k in knobs)):  # type: ignore[union-attr]
        chosen = dict(zip((k.name for k in knobs), values, strict=True))
        built = space.compressions(chosen)
        found.setdefault(compression_digest(built), (chosen, built))
    return found


def read(name: str) -> dict[str, Row]:
    """Return the table `name` by compression digest; empty where there is none yet."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as handle:
        lines = csv.DictReader(line for line in handle if not line.startswith("#"))
        return {r["digest"]: Row(*(float(r[c]) for c in COLUMNS[1:])) for r in lines}


def header(p: Plan, base_accuracy: float) -> str:
    """Return what the table was made of, as comments."""
    said = {
        "study file": f"{p.config.path.name}, data {p.dataset.digest}, network {p.network.digest}",
        "images": f"{len(p.dataset.train.labels)} train, {len(p.dataset.validation.labels)} validation",
        "epochs": f"{p.stages.pretrain_epochs} float, {SHORT_EPOCHS} short,"
        f" {p.stages.finetune_epochs} more to the end",
        "seed": str(p.config.seed),
        "accuracy of the float network": f"{base_accuracy:.4f}",
        "versions": ", ".join(f"{k} {v}" for k, v in versions().items()),
    }
    return "".join(f"# {k}: {v}\n" for k, v in said.items())


def fill(name: str) -> None:
    """Train what the table `name` lacks."""
    p = plan(load_config(FOLDER / f"{name}.yaml", []))
    epochs = (p.stages.pretrain_epochs, p.stages.finetune_epochs)
    assert epochs[0] is not None
    assert epochs[1] is not None
    found, done = compressions(p.space), read(name)
    base = pretrain(p.network, p.dataset, epochs[0], p.config.seed)
    context = TrainingContext(p.network, p.dataset, base.arrays(), p.config.seed)
    path = FOLDER / f"{name}.csv"
    if not done:
        knobs = next(iter(found.values()))[0]
        path.write_text(header(p, float(base.accuracy)) + ",".join((*COLUMNS, *knobs)) + "\n")
    with path.open("a", encoding="utf-8") as handle:
        for digest, (chosen, built) in found.items():
            if digest in done:
                continue
            row = measured(context, built, epochs[1])
            values = [digest, f"{row.short_accuracy:.5f}", f"{row.short_seconds:.3f}"]
            values += [f"{row.accuracy:.5f}", f"{row.full_seconds:.3f}", *map(str, chosen.values())]
            handle.write(",".join(values) + "\n")
            handle.flush()
    print(f"{name}: {len(found)} compressions, {len(done)} were there already")


def measured(context: TrainingContext, built: Mapping[str, Compression], epochs: int) -> Row:
    """Train one compression, shortly and then to the end."""
    short = train(context, TrainingTask(built, SHORT_EPOCHS, None, keep_state=True))
    full = train(context, TrainingTask(built, epochs, None, before=SHORT_EPOCHS, start=short.state))
    return Row(short.validation_accuracy, short.seconds, full.validation_accuracy, full.seconds)


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        fill(name)


if __name__ == "__main__":
    main()
