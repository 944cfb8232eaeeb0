"""The constant tables of a matrix unit: weights, gather indices, thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.emit.words import chunks, codes
from dse.errors import UsageError
from dse.ir.accelerator import MatrixParameters
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.loading import loaded
from dse.ir.numbers import weight_type
from dse.ir.units import MatrixUnit, ProductUnit
from pruning._pack import pack
from pruning._scheme import PackedWeights

# BIND_STORAGE of Folding.memory
STORAGE = {
    "bram": "type=rom_1p impl=bram",
    "lutram": "type=rom_1p impl=lutram",
    "uram": "type=rom_1p impl=lutram",  # of one word, which is a constant: others are loaded
}
LOADED = "type=ram_1p impl=uram"
INLINE = 32  # numbers of an initialiser that share a line


@dataclass(frozen=True)
class Table:
    """A constant array of the emitted project.

    Attributes:
        name: C++ name.
        type: C++ element type.
        values: the integers, any number of axes.
        pragmas: HLS directives without "#pragma HLS".
        loaded: the values are not in the sources, they come when the accelerator runs.
    """

    name: str
    type: str
    values: npt.NDArray[Any]
    pragmas: tuple[str, ...]
    loaded: bool = False

    @property
    def shape(self) -> str:
        """The C++ array bounds."""
        return "".join(f"[{n}]" for n in self.values.shape)

    @property
    def initialiser(self) -> str:
        """The C++ initialiser, one line per row of the last axis."""
        return "".join(_braces(self.values))


def matrix_tables(name: str, unit: ProductUnit, p: MatrixParameters) -> tuple[Table, ...]:
    """Return the tables of a matrix or depthwise unit in the order of the kernel's arguments.

    Dense and depthwise: weights, rows. Tiled: weights, columns, choices, rows.

    Args:
        name: of the unit in the emitted project.
        unit: how it is built.
        p: its integers, rows in hardware order.

    Raises:
        UsageError: the integers are not those of such a unit.
    """
    _check(unit, p)
    bits = int(unit.weight_bits)
    packed = packed_weights(unit, p)
    try:
        words, width = chunks(codes(packed.weights, weight_type(bits)), bits)
    except ValueError as e:
        msg = f"layer {unit.layer}: a stored weight does not fit: {e}"
        raise UsageError(msg) from e
    weights = Table(
        f"{name}_weights",
        f"dse::rom_uint<{width}>",
        words,
        (
            # PEs that go on by themselves have a bank each
            f"{'ARRAY_PARTITION' if _banked(unit) else 'ARRAY_RESHAPE'} variable={name}_weights complete dim=2",
            f"ARRAY_RESHAPE variable={name}_weights complete dim=3",
            f"BIND_STORAGE variable={name}_weights {LOADED if loaded(unit) else STORAGE[unit.memory]}",
        ),
        loaded(unit),
    )
    entries = f"{name}_offsets" if p.thresholds is None else f"{name}_thresholds"
    rows = Table(
        entries,
        f"dse::Activation<{name}_unit>::Math::entry",
        row_table(unit, p).reshape(int(unit.mh // unit.pe), int(unit.pe), -1),
        tuple(f"ARRAY_PARTITION variable={entries} complete dim={d}" for d in (2, 3)),
    )
    if packed.columns is None or packed.rows is None:
        return weights, rows
    columns, choices = (
        Table(
            f"{name}_{what}",
            f"dse::Tiles<{name}_unit>::{kind}",
            values,
            (f"ARRAY_RESHAPE variable={name}_{what} complete dim=2",),
        )
        for what, kind, values in (
            ("columns", "column", packed.columns),
            ("choices", "choice", packed.rows),
        )
    )
    return weights, columns, choices, rows


def _banked(unit: ProductUnit) -> bool:
    return isinstance(unit, EdgeSkipUnit) and unit.mode == "ooo"


def packed_weights(unit: ProductUnit, p: MatrixParameters) -> PackedWeights:
    """Return the weights in the order in which the unit reads them.

    A depthwise unit has a word of PE channels for every (pixel of the window, group of channels).
    """
    weights = p.weights.astype(np.int64)
    if isinstance(unit, MatrixUnit):
        return pack(weights, p.kept, unit.tiling, int(unit.pe), int(unit.simd))
    return PackedWeights(weights.T.reshape(-1, int(unit.pe), 1))


def row_table(unit: ProductUnit, p: MatrixParameters) -> npt.NDArray[np.int64]:
    """Return the `(mh, entries)` row table that activation.hpp reads.

    A popcount unit compares matches: with N weights in the row, dot = 2 * pop - N, so dot >= T exactly when
    pop >= ceil((T + N) / 2) (seeds: FINN). Thresholds are clipped to what a sum can reach, and one more.

    Raises:
        UsageError: a sum and its bias do not fit an output word.
    """
    weights: npt.NDArray[np.int64] = p.kept.sum(axis=1, dtype=np.int64)[:, None]
    if p.thresholds is None:
        bias = np.zeros_like(weights) if p.bias is None else _bias(unit, p)
        return weights - bias if unit.popcount else -bias
    thresholds: npt.NDArray[np.int64] = p.thresholds.astype(np.int64)
    if unit.popcount:
        matches: npt.NDArray[np.int64] = -(-(thresholds + weights) // 2)
        return matches.clip(0, weights + 1)
    limit = 2 ** (int(unit.acc_bits) - 1)
    return thresholds.clip(-limit, limit)


def _bias(unit: ProductUnit, p: MatrixParameters) -> npt.NDArray[np.int64]:
    """Return `(mh, 1)` biases; with every sum that can be they fit an output word."""
    assert p.bias is not None
    bias: npt.NDArray[np.int64] = p.bias.astype(np.int64)[:, None]
    most = np.abs(p.weights.astype(np.int64)).sum(axis=1)[:, None] * _largest(unit) + np.abs(bias)
    if np.any(most >= 2 ** (int(unit.out_element_bits) - 1)):
        msg = (
            f"layer {unit.layer}: class scores with their bias must fit {int(unit.out_element_bits)} bits, they"
            f" may reach {int(most.max()):,}; train the last layer with a smaller bias, or without"
        )
        raise UsageError(msg)
    return bias


def _largest(unit: ProductUnit) -> int:
    """Return the largest magnitude of an input element."""
    if unit.popcount:
        return 1
    return int(2 ** (int(unit.input_bits) - int(unit.input_signed)))


def _check(unit: ProductUnit, p: MatrixParameters) -> None:
    expected = {
        "weights": (int(unit.mh), int(unit.mw)),
        "output bits": int(unit.output_bits),
        "thresholds": (int(unit.mh), 2 ** int(unit.output_bits) - 1) if unit.output_bits else None,
    }
    got = {
        "weights": p.weights.shape,
        "output bits": p.output_bits or 0,
        "thresholds": None if p.thresholds is None else p.thresholds.shape,
    }
    for what, value in expected.items():
        if got[what] != value:
            msg = (
                f"layer {unit.layer}: the design asks for {what} {value}, the accelerator has {got[what]};"
                " both must come from the same trial"
            )
            raise UsageError(msg)


def _braces(values: npt.NDArray[Any]) -> Iterator[str]:
    form = hex if values.dtype == np.uint64 else str
    if values.ndim == 1:
        yield "{" + ", ".join(map(form, values.tolist())) + "}"
        return
    yield "{"
    for i, part in enumerate(values):
        if i:
            yield ", " if values.size <= INLINE else ",\n"
        yield from _braces(part)
    yield "}"
