"""The memory files of a matrix or depthwise unit: one word per line in hexadecimal digits, as $readmemh reads them."""

from __future__ import annotations

import numpy as np

from dse.emit.tables import packed_weights, row_table
from dse.emit.words import Codes, codes, hex_lines
from dse.errors import UsageError
from dse.ir.accelerator import MatrixParameters
from dse.ir.edge_skip import EdgeSkipUnit
from dse.ir.loading import loaded
from dse.ir.numbers import weight_type
from dse.ir.units import MatrixUnit, ProductUnit


def matrix_memories(unit: ProductUnit, p: MatrixParameters) -> dict[str, str]:
    """Return the text of every memory file that hw_templates/rtl reads for the unit.

    Args:
        unit: how it is built.
        p: its integers, rows in hardware order; `dse.emit.tables.matrix_tables` has checked them.

    Returns:
        By need "weights" (unless they are loaded), "columns", "choices" and "rows".
    """
    pe, simd = int(unit.pe), int(unit.simd)
    bits = int(unit.weight_bits)
    packed = packed_weights(unit, p)
    weights = codes(packed.weights, weight_type(bits))
    files = {} if loaded(unit) else {"weights": memory_text(weights.reshape(-1, pe * simd), bits)}
    t = unit.tiling if isinstance(unit, MatrixUnit) else None
    if t is not None:
        assert packed.columns is not None
        assert packed.rows is not None
        columns = packed.columns.astype(np.uint64)
        files["columns"] = memory_text(columns, max(1, t.index_bits))
        if t.kept_rows < t.block_rows:
            lanes, n, _, _ = (int(v) for v in t.lanes(pe, simd))
            # (tile, block row, kept row) -> a word per (tile, row step): lane (block row, row lane)
            steps = packed.rows.reshape(-1, n, t.kept_rows // lanes, lanes).transpose(0, 2, 1, 3)
            choices = steps.reshape(-1, pe).astype(np.uint64)
            per_class = t.block_rows // t.kept_rows
            files["choices"] = memory_text(choices, (per_class - 1).bit_length())
    if p.bias is not None and not unit.popcount:
        msg = (
            f"layer {unit.layer}: a bias of class scores with more than 1 bit of weights or inputs is in the"
            " HLS kernels only; emit with --flow hls, or train the last layer without a bias"
        )
        raise UsageError(msg)
    if unit.output_bits or unit.popcount:
        entry_bits = int(unit.acc_bits) + 1
        entries = (row_table(unit, p) & (2**entry_bits - 1)).astype(np.uint64)
        files["rows"] = memory_text(entries.reshape(int(unit.mh) // pe, -1), entry_bits)
    return files


def group_memories(unit: EdgeSkipUnit, p: MatrixParameters) -> dict[str, str]:
    """Return the text of the memory files of every group of PEs: "weights0000", "rows0000" and so on.

    Args:
        unit: how it is built.
        p: its integers.
    """
    groups, pe = int(unit.groups), int(unit.pe)
    weights = codes(packed_weights(unit, p).weights, weight_type(1))
    entries = row_table(unit, p).astype(np.uint64).reshape(-1, pe)
    files = {}
    for g, lanes in enumerate(np.arange(pe).reshape(groups, -1)):
        bank = weights[:, lanes].reshape(len(weights), -1)
        files[f"weights{g:04}"] = memory_text(bank, 1)
        files[f"rows{g:04}"] = memory_text(entries[:, lanes], int(unit.acc_bits) + 1)
    return files


def memory_text(elements: Codes, bits: int) -> str:
    """Return a line per word with exactly the digits that its width asks for.

    Args:
        elements: `(words, n)` codes, element 0 into the low bits.
        bits: of an element.
    """
    width = elements.shape[1] * bits
    digits = -(-width // 4)
    text = hex_lines(elements, bits, -(-width // 8) * 8)
    if digits % 2 == 0:
        return text
    return "".join(f"{line[1:]}\n" for line in text.split())
