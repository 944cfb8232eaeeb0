"""How long folding takes: `python benchmarks/folding_speed.py` prints a table of milliseconds.

Tables: pricing all options of a compression not met before. Solve: the cheapest folding for a
target. Estimate: a design from scratch, as reports do it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from cost_models import analytic
from dse.compression import canonical
from dse.ir.design import Compression
from dse.ir.numbers import BIPOLAR, IntType
from dse.networks import cnv, digits_cnn, lfc
from dse.search.estimate import estimate
from dse.search.fold import Folder
from hw_templates._boards import load_board

REPEATS = 5
NETWORKS = {
    "digits-cnn": digits_cnn.build((8, 8, 1), IntType(4, signed=False), 10),
    "lfc": lfc.build((784,), BIPOLAR, 10),
    "cnv": cnv.build((32, 32, 3), IntType(8, signed=False), 10),
}
COMPRESSIONS = {
    "W1A1": Compression(1, 1),
    "W4A4": Compression(4, 4),
    "W2A2 bcr 75 %": Compression(2, 2, "bcr", 0.75, (16, 16)),
}


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)


def main() -> None:
    board, model = load_board("Pynq-Z1"), analytic.load("7series")
    print(
        f"{'network':12}{'compression':16}{'options':>9}{'tables':>9}{'solve':>9}{'estimate':>10}"
    )
    for name, network in NETWORKS.items():
        for label, wanted in COMPRESSIONS.items():
            compressions = canonical(network, {x.name: wanted for x in network.matrix_layers})
            start = time.perf_counter()
            folder = Folder.build(network, compressions, board, model, {})
            tables = 1e3 * (time.perf_counter() - start)
            fastest, slowest = folder.targets()
            middle = (fastest * slowest) ** 0.5
            design = folder.solve(middle, 0.5)
            solve = milliseconds(lambda f=folder, t=middle: f.solve(t, 0.5))
            whole = milliseconds(lambda n=network, d=design: estimate(n, d, board, 100.0, model))
            options = sum(len(o.fold) * len(o.styles) for o in folder.options)
            print(f"{name:12}{label:16}{options:9}{tables:9.1f}{solve:9.2f}{whole:10.1f}")


if __name__ == "__main__":
    main()
