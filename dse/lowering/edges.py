"""Which layers can skip edges."""

from __future__ import annotations

from collections.abc import Sequence

from dse.errors import UsageError
from dse.ir.design import Compression
from dse.ir.layers._base import Layer
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.numbers import IntType
from pruning._scheme import Structure


def refusal(
    layer: Layer,
    element: IntType,
    structure: Structure | None,
    compression: Compression | None,
) -> str:
    """Return why a layer cannot skip edges; empty where it can.

    Args:
        layer: the layer.
        element: type of its inputs.
        structure: what pruning left of its matrix.
        compression: canonical.
    """
    if not isinstance(layer, Conv2d | Dense) or structure is None or compression is None:
        return "it is neither a convolution nor a dense layer"
    if compression.activation_bits is None:
        return "its sums are the class scores, which are needed whole"
    if not element.bipolar:
        return f"its inputs have {element.bits} bits (the first layer's are those of the images)"
    if structure.stored_weight_bits != 1 or structure.tiling is not None:
        return f"its weights have {compression.weight_bits} bits or are pruned"
    if compression.spatial_keep < 1:
        return "it skips positions (spatial_keep)"
    if compression.activation_bits != 1:
        return f"its outputs have {compression.activation_bits} bits"
    return ""


def edge_skips(
    layer: Layer,
    element: IntType,
    structure: Structure,
    compression: Compression,
    wanted: Sequence[str] | None,
) -> tuple[str, ...]:
    """Return the modes to choose from: what is wanted where the layer can, else "off".

    Raises:
        UsageError: the layer cannot, and "off" is not wanted.
    """
    modes = tuple(wanted or ("off",))
    if not refusal(layer, element, structure, compression):
        return modes
    if "off" not in modes:
        check_edge_skip(layer, element, structure, compression)
    return ("off",)


def check_edge_skip(
    layer: Layer,
    element: IntType,
    structure: Structure | None,
    compression: Compression | None,
) -> None:
    """Raise UsageError where a layer cannot skip edges."""
    if reason := refusal(layer, element, structure, compression):
        msg = (
            f"layer {layer.name}: edge_skip needs 1-bit inputs, weights and outputs without pruning, but"
            f" {reason}; use off, or list off beside the other modes"
        )
        raise UsageError(msg)
