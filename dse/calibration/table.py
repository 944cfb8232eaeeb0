"""A CSV of synthesised units, with the names of FINN's node attributes as columns."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np

from dse.calibration.records import Origin, Skipped, SynthesisRecord
from dse.errors import UsageError
from dse.ir.hardware import RESOURCES
from dse.ir.measurement import Measurement
from dse.ir.units import Fifo, MatrixUnit, Unit, WidthConverter

Row = Mapping[str, str]

COUNTS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "lut": (("LUT", 1),),
    "ff": (("FF", 1),),
    "dsp": (("DSP", 1), ("DSP48E", 1)),
    "bram18": (("BRAM18", 1), ("BRAM_18K", 1), ("BRAM36", 2), ("BRAM_36K", 2)),
    "uram": (("URAM", 1),),
}
"""Resource -> the columns that state it and the blocks that each of theirs counts."""

INSTANCES = ("instance", "Submodule Instance")
DESIGNS = ("design", "model_id", "session", "run_name")  # together they name the build
MEMORIES = {"block": "bram", "distributed": "lutram", "ultra": "uram"}


class _RowError(Exception):
    """Why a row is no record."""


def read_table(
    path: Path, measured: Sequence[Measurement] = ()
) -> tuple[tuple[SynthesisRecord, ...], tuple[Skipped, ...]]:
    """Read a CSV (or `.csv.gz`) of FINN modules.

    Columns (docs/cost-models.md): `op_type` and the attributes of the node; `LUT`, `FF`, `DSP` and
    one of `BRAM18`, `BRAM_18K`, `BRAM36`, or, where a row has none of these, the measurement of the
    row's `instance`; optionally `design`, `tool`, `tool_version`, `part`, `stage`.

    Args:
        path: the table.
        measured: measurements of reports, by instance.

    Raises:
        UsageError: the file cannot be read, or has not the columns.
    """
    try:
        with _opened(path) as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = set(reader.fieldnames or ())
    except (OSError, csv.Error, UnicodeDecodeError, EOFError) as error:
        msg = f"{path} must be a readable CSV file: {error}"
        raise UsageError(msg) from None
    if "op_type" not in columns and "base_name" not in columns:
        has = ", ".join(sorted(columns)[:8]) or "none"
        msg = f"{path} must have a column `op_type` (MVAU_hls, StreamingFIFO, ...), it has: {has}"
        raise UsageError(msg)
    reports = {m.name: m for m in measured if m.kind in ("csynth", "synth", "route")}
    records, reasons = [], dict[str, int]()
    for row in rows:
        try:
            records.append(_record(row, path.stem, reports))
        except _RowError as error:
            reasons[str(error)] = reasons.get(str(error), 0) + 1
    skipped = [Skipped(path.name, f"{n} rows: {reason}") for reason, n in reasons.items()]
    return tuple(records), tuple(skipped)


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, "rt", encoding="utf-8", newline=""))
    return path.open(encoding="utf-8", newline="")


def _record(row: Row, name: str, reports: Mapping[str, Measurement]) -> SynthesisRecord:
    kind = row.get("op_type") or row.get("base_name") or ""
    reader = _reader(kind)
    instance = _first(row, INSTANCES)
    actual = _counts(row)
    measured = reports.get(instance)
    if not actual and measured is not None:
        actual = dict(measured.resources)
    if not actual:
        msg = "neither resources in the row nor a report of its instance"
        raise _RowError(msg)
    tool, _, version = (measured.tool if measured else "").partition(" ")
    stage = measured.kind if measured else (row.get("stage") or "synth")
    return SynthesisRecord(
        design="/".join(row[c] for c in DESIGNS if row.get(c)) or name,
        instance=instance,
        unit=reader(row, actual),
        actual=actual,
        origin=Origin(row.get("tool") or tool or "vivado", stage, "finn"),
        version=row.get("tool_version") or version,
        part=row.get("part") or (measured.part if measured else ""),
    )


def _reader(kind: str) -> Callable[[Row, Mapping[str, float]], Unit]:
    if kind in ("MVAU", "MVAU_hls", "MatrixVectorActivation", "StreamingFCLayer_Batch"):
        return _matrix
    if kind == "StreamingFIFO" or kind.startswith("StreamingFIFO_"):
        return _fifo
    if kind.startswith("StreamingDataWidthConverter"):
        return _converter
    msg = f"{kind or 'no op_type'} is no unit that a record can be of"
    raise _RowError(msg)


def _matrix(row: Row, actual: Mapping[str, float]) -> MatrixUnit:
    """Read a matrix unit; `auto` styles are what the tool made of them."""
    if row.get("isRTL") in ("1", "1.0"):
        msg = "MVAU_rtl is another implementation than MVAU_hls"
        raise _RowError(msg)
    mh, mw, pe, simd = (_whole(row, c) for c in ("MH", "MW", "PE", "SIMD"))
    if mh % pe or mw % simd:
        msg = "PE and SIMD must divide MH and MW"
        raise _RowError(msg)
    weight_bits, _ = _type(row, "weightDataType")
    input_bits, signed = _type(row, "inputDataType")
    plain = float(row.get("noActivation") or 0)
    dsps = actual.get("dsp", 0.0)
    if row.get("resType") != "lut" and 0 < dsps < pe * simd:
        msg = "the part had too few DSPs, part of the products is in LUTs"
        raise _RowError(msg)
    chosen = "bram" if actual.get("bram18", 0.0) else "lutram"
    return MatrixUnit(
        layer="",
        mh=mh,
        mw=mw,
        vectors=_product(row.get("numInputVectors") or "1"),
        pe=pe,
        simd=simd,
        weight_bits=weight_bits,
        input_bits=input_bits,
        input_signed=signed,
        output_bits=0 if plain else _type(row, "outputDataType")[0],
        memory=MEMORIES.get(row.get("ram_style", ""), chosen),
        compute="lut" if row.get("resType") == "lut" or not dsps else "dsp",
    )


def _fifo(row: Row, actual: Mapping[str, float]) -> Fifo:
    """Read a FIFO; one whose flip-flops cannot hold two words states the width of an element."""
    width = -(-_whole(row, "inWidth") // 8) * 8
    if actual.get("ff", 0.0) > 2 * (16 + width):
        msg = "inWidth is of an element, not of a word"
        raise _RowError(msg)
    return Fifo("", _whole(row, "depth"), width)


def _converter(row: Row, _: Mapping[str, float]) -> WidthConverter:
    bits, _signed = _type(row, "dataType") if row.get("dataType") else (1, False)
    narrow, wide = _whole(row, "inWidth") // bits, _whole(row, "outWidth") // bits
    if narrow == wide:
        msg = "a converter between equal widths is nothing"
        raise _RowError(msg)
    return WidthConverter("", narrow, wide, bits, max(narrow, wide))


def _counts(row: Row) -> dict[str, float]:
    found: dict[str, float] = {}
    for resource in RESOURCES:
        for column, scale in COUNTS[resource]:
            text = row.get(column)
            if text and resource not in found:
                found[resource] = scale * _number(row, column)
    return found


def _first(row: Row, columns: Sequence[str]) -> str:
    return next((row[c] for c in columns if row.get(c)), "")


def _number(row: Row, column: str) -> float:
    try:
        value = float(row.get(column) or "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value) or value < 0:
        msg = f"{column} is no count"
        raise _RowError(msg)
    return value


def _whole(row: Row, column: str) -> int:
    value = _number(row, column)
    if value != int(value) or value < 1:
        msg = f"{column} is no whole number from 1 on"
        raise _RowError(msg)
    return int(value)


def _type(row: Row, column: str) -> tuple[int, bool]:
    """Return bits and signedness of a FINN data type; BINARY counts as signed."""
    name = row.get(column) or ""
    if name in ("BINARY", "BIPOLAR"):
        return 1, True
    digits = name.removeprefix("U").removeprefix("INT")
    if name == "TERNARY" or not digits.isdigit() or not 1 <= int(digits) <= 32:
        if name == "TERNARY":
            return 2, True
        msg = f"{column} is no integer type"
        raise _RowError(msg)
    return int(digits), not name.startswith("U")


def _product(text: str) -> int:
    try:
        return int(np.prod(json.loads(text)))
    except (ValueError, TypeError):
        msg = "numInputVectors is no list of numbers"
        raise _RowError(msg) from None
