"""What is emitted of the units around a layer that skips positions: their parameters and constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dse.emit.chain import BIT, PLAIN_DEPTH, TOKENS, Module, Process, Stream
from dse.emit.tables import Table
from dse.emit.words import Codes, codes
from dse.errors import UsageError
from dse.ir.accelerator import Accelerator
from dse.ir.layers._base import MatrixLayer
from dse.ir.numbers import IntType, activation_type
from dse.ir.spatial import SpatialMask
from dse.ir.units import FillUnit, SkippingWindowUnit, WidthConverter

WINDOW_FIELDS = (
    *("height", "width", "channels", "kernel", "stride", "padding", "simd", "bits", "ring_rows"),
    "tile",
)
FILL_FIELDS = ("height", "width", "channels", "pe", "bits", "tile")


def mask_traits(
    unit: SkippingWindowUnit, spatial: SpatialMask, element: IntType
) -> dict[str, int | bool]:
    """Return the members of the C++ struct of a window unit."""
    return {
        **{name: int(getattr(unit, name)) for name in WINDOW_FIELDS},
        "is_signed": element.signed and not element.bipolar,
        "least": spatial.least,
    }


def reference_codes(unit: SkippingWindowUnit, spatial: SpatialMask, element: IntType) -> Codes:
    """Return the `(words, simd)` codes of a reference pixel."""
    return codes(spatial.reference, element).reshape(-1, int(unit.simd))


def reference_table(
    name: str, unit: SkippingWindowUnit, spatial: SpatialMask, element: IntType
) -> Table:
    """Return the table of a reference pixel."""
    return _table(f"{name}_reference", reference_codes(unit, spatial, element), int(unit.bits))


def constant_codes(unit: FillUnit, spatial: SpatialMask, element: IntType) -> Codes:
    """Return the `(words, pe)` codes of a skipped position.

    Args:
        unit: how it is built.
        spatial: the layer's.
        element: type of the activations.
    """
    bits = spatial.constants.astype(np.int64)
    values = 2 * bits - 1 if element.bipolar else bits + element.min
    return codes(values, element).reshape(-1, int(unit.pe))


def constant_table(name: str, unit: FillUnit, spatial: SpatialMask, element: IntType) -> Table:
    """Return the table of a skipped position."""
    return _table(f"{name}_constants", constant_codes(unit, spatial, element), int(unit.bits))


def filling_type(accelerator: Accelerator, name: str) -> IntType:
    """Return the type of the activations of a layer."""
    bits, layer = accelerator.parameters[name].output_bits, accelerator.network[name]
    assert bits is not None
    assert isinstance(layer, MatrixLayer)
    return activation_type(bits, signed=layer.signed)


def checked_mask(unit: SkippingWindowUnit | FillUnit, spatial: SpatialMask | None) -> SpatialMask:
    """Return the mask of a unit.

    Raises:
        UsageError: the accelerator has none, or another one.
    """
    if spatial is None or spatial.tile != unit.tile:
        found = "all positions" if spatial is None else f"tiles of {spatial.tile}"
        msg = (
            f"layer {unit.layer}: the design skips positions in tiles of {unit.tile}, the accelerator computes"
            f" {found}; both must come from the same trial"
        )
        raise UsageError(msg)
    return spatial


def _table(name: str, values: Codes, bits: int) -> Table:
    pragmas = (f"ARRAY_PARTITION variable={name} complete dim=2",)
    return Table(name, f"dse::rom_uint<{bits}>", values, pragmas)


def skipping_module(
    name: str,
    unit: SkippingWindowUnit | FillUnit,
    accelerator: Accelerator,
    sources: tuple[Stream, ...],
    targets: tuple[Stream, ...],
) -> Module:
    """Return the module of a unit.

    Raises:
        UsageError: the accelerator does not skip what the design skips.
    """
    layer = accelerator.network[unit.layer]
    spatial = checked_mask(unit, accelerator.parameters[layer.name].spatial)
    if isinstance(unit, FillUnit):
        element = filling_type(accelerator, layer.name)
        traits: dict[str, int | bool] = {f: int(getattr(unit, f)) for f in FILL_FIELDS}
        tables = (constant_table(name, unit, spatial, element),)
        return Module(
            name, unit, traits, (Process(name, "constant_fill", sources, targets, tables),)
        )
    element = accelerator.input_type(layer.name)
    pixels = Stream(f"{name}_map", sources[0].word, PLAIN_DEPTH)
    mask = Stream(f"{name}_mask", BIT, unit.mask_depth)
    tables = (reference_table(name, unit, spatial, element),)
    return Module(
        name,
        unit,
        mask_traits(unit, spatial, element),
        (
            Process(f"{name}_decide", "spatial_mask", sources, (pixels, mask), tables),
            Process(name, "skipping_window", (pixels, mask), targets),
        ),
    )


def gated(module: Module, vectors: int) -> Module:
    """Return a module of a branch of so many vectors, where it depends on the image how many there are.

    Its kernels read a token in front of every vector and hand them on.
    """
    if isinstance(module.unit, SkippingWindowUnit):
        return replace(module, vectors=vectors)
    first, *rest = (replace(p, kernel=f"gated_{p.kernel}") for p in module.processes)
    if rest:  # tiled_sums and tiled_rows
        tokens = Stream(f"{module.name}_rows_tokens", BIT, TOKENS, counts=True)
        first = replace(first, targets=(*first.targets, tokens))
        rest = [replace(p, sources=(*p.sources, tokens)) for p in rest]
    traits = dict(module.traits)
    if isinstance(module.unit, WidthConverter):
        traits["elements"] = int(traits["elements"]) // vectors
    return replace(module, traits=traits, processes=(first, *rest), vectors=vectors)
