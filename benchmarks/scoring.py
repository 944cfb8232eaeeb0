"""How fast designs are scored: `python benchmarks/scoring.py` prints a table, in under a minute.

Whole CNV designs (six convolutions, two pools, three dense layers on 32x32 images), random legal
foldings in random styles. Seconds are CPU seconds of one thread, so that other programs on the
machine do not count; set OMP_NUM_THREADS=1. Each is the best of three.

* batch: `score_batch.folded` of arrays of foldings, of one compression or of many with some
  foldings each; every compression is priced anew, which costs 20 to 50 ms.
* single, new: `estimate` of a design none of whose units were met before, every layer.
* single, met: `estimate` where a search has met the units in other designs. Of the analytic model
  this is the plain loop: 1000 designs a second by this number of milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import numpy as np

from cost_models import analytic, learned
from cost_models._model import CostModel
from dse.compression import canonical, effective
from dse.folding.estimate import estimate
from dse.folding.foldings import Foldings
from dse.folding.score_batch import folded
from dse.ir.design import COMPUTES, Compression
from dse.ir.layers._base import MatrixLayer
from dse.ir.network import Network
from dse.ir.numbers import IntType
from dse.ir.units import divisors
from dse.lowering.main_units import layer_folds
from dse.networks import cnv
from hw_templates._boards import load_board

NETWORK = cnv.build((32, 32, 3), IntType(8, signed=False), 10)
BOARD = load_board("Pynq-Z1")
DESIGNS = 50_000
COMPRESSIONS = 20
PER_COMPRESSION = (1000, 5000)
SINGLES = 50
REPEATS = 3
BARS = {"batch": 50_000.0, "single": 2.0}  # designs a second and core; milliseconds
RULE4ML = "200-900"  # ms a design, published: rule4ml 0.2.0, 16-64-32-32-5 and 784-64-64-64-10 MLPs


def compressions(number: int) -> dict[str, Compression]:
    """Return random bit widths; every second time three quarters of the weights are pruned."""
    rng = np.random.default_rng(number)
    pruned: tuple[str, float, tuple[int, int] | None] = ("dense", 0.0, None)
    if number % 2:
        pruned = ("bcr", 0.75, (16, 16))
    bits = rng.integers(1, 9, (len(NETWORK.matrix_layers), 2)).tolist()
    wanted = {
        x.name: Compression(w, a, *pruned)
        for x, (w, a) in zip(NETWORK.matrix_layers, bits, strict=True)
    }
    return canonical(NETWORK, wanted)


def random_foldings(network: Network, wanted: dict[str, Compression], count: int) -> Foldings:
    """Return legal foldings, drawn uniformly, with weights in block RAM or LUTs."""
    rng = np.random.default_rng(count)
    built, structures = effective(network, wanted)
    columns = []
    for layer in built.layers:
        channels = divisors(layer.input_shape[-1])
        column = np.ones((5, count), dtype=np.int64) * np.array([[1], [1], [0], [0], [0]])
        column[0] = rng.choice(channels, count)
        if isinstance(layer, MatrixLayer):
            pe, simd = layer_folds(layer, structures[layer.name])
            row = rng.integers(len(pe), size=count)
            column[0], column[1] = pe[row], simd[row]
            column[2] = rng.choice(channels, count) if layer.windowed else 0
            column[3], column[4] = (
                rng.integers(2, size=count),
                rng.integers(len(COMPUTES), size=count),
            )
        columns.append(column)
    return Foldings(*np.stack(columns, axis=-1))


def seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def fresh(load: Callable[[str], CostModel]) -> CostModel:
    """Return a model of which nothing is kept."""
    load.cache_clear()  # type: ignore[attr-defined]
    return load(BOARD.family)


def singles(load: Callable[[str], CostModel]) -> tuple[float, float]:
    """Return milliseconds of a design of new units, and of one whose units were met."""
    wanted = compressions(0)
    foldings = random_foldings(NETWORK, wanted, SINGLES)
    designs = [foldings.design(i, NETWORK, wanted) for i in range(SINGLES)]
    model = fresh(load)

    def middle() -> float:
        calls = [partial(estimate, NETWORK, d, BOARD, 100.0, model) for d in designs]
        return 1e3 * median(seconds(call) for call in calls)

    new = middle()
    return new, min(middle() for _ in range(REPEATS))


def rate(
    load: Callable[[str], CostModel], several: Sequence[dict[str, Compression]], count: int
) -> float:
    """Return designs a second: `count` foldings of each of several compressions."""
    drawn = [random_foldings(NETWORK, c, count) for c in several]

    def score(model: CostModel) -> None:
        for wanted, foldings in zip(several, drawn, strict=True):
            folded(NETWORK, wanted, foldings, BOARD, model)

    best = min(seconds(partial(score, fresh(load))) for _ in range(REPEATS))
    return len(several) * count / best


def main() -> None:
    several = [compressions(i) for i in range(COMPRESSIONS)]
    print(f"whole designs of {NETWORK.name} on {BOARD.name}, CPU time of one thread")
    print(f"bars: batch {BARS['batch']:,.0f} designs/s, single {BARS['single']:.0f} ms\n")
    batch = [f"1 x {DESIGNS}", *(f"{COMPRESSIONS} x {n}" for n in PER_COMPRESSION)]
    print(f"{'':20}{'batch, designs/s (compressions x foldings)':>42}{'single, ms':>22}")
    print(f"{'':20}" + "".join(f"{b:>14}" for b in batch) + f"{'new units':>12}{'met':>10}")
    for name, load in (("vivado-finn", learned.load), ("analytic", analytic.load)):
        rates = [
            rate(load, several[:1], DESIGNS), *(rate(load, several, n) for n in PER_COMPRESSION)
        ]  # fmt: skip
        new, met = singles(load)
        print(f"{name:20}" + "".join(f"{r:14,.0f}" for r in rates) + f"{new:12.2f}{met:10.2f}")
    print(f"{'rule4ml (published)':20}" + f"{'-':>14}" * 3 + f"{RULE4ML:>12}{'-':>10}")


if __name__ == "__main__":
    main()
