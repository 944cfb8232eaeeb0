"""The constant factor of a product: real weights, and their integers where they are quantised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.importing.graph import Floats, Graph, Node, unsupported
from dse.importing.quantiser import Quantiser, quantiser_of

WEIGHT_STEPS = ("Quant", "IntQuant", "BipolarQuant", "Transpose")
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Weights:
    """Weights with the output row as first axis.

    Attributes:
        real: `(mh, ...)` what the product multiplies with; quantised where the model quantises.
        start: `(mh, ...)` what was quantised, from which a training goes on.
        codes: `(mh, ...)` integers; None where the weights are not quantised.
        scale: `(mh,)`: real = scale * codes.
        bits: of the integers; 1 means {-1, +1}.
    """

    real: Floats
    start: Floats
    codes: Ints | None = None
    scale: Floats | None = None
    bits: int = 8

    def arranged(self, rows: Any) -> Weights:
        """Return the weights after `rows`, a function of arrays that leaves the first axis first."""
        codes = None if self.codes is None else rows(self.codes)
        return Weights(rows(self.real), rows(self.start), codes, self.scale, self.bits)


def weights_of(graph: Graph, node: Node, tensor: str, perm: tuple[int, ...]) -> Weights:
    """Return the weights of a product.

    Args:
        graph: where the product is.
        node: the product.
        tensor: its factor that has to be constant, a quantiser and transpositions in between.
        perm: axes of the factor, the one of the output rows first.

    Raises:
        UsageError: the factor is computed, or its quantiser cannot be built.
    """
    chain: list[Node] = []
    while tensor not in graph.constants:
        source = next((n for n in graph.nodes if n.output == tensor), None)
        if source is None or source.op not in WEIGHT_STEPS:
            raise unsupported(
                node, "one of its factors must be constant weights, both are computed"
            )
        chain.append(source)
        tensor = source.inputs[0]
    value = np.asarray(graph.constants[tensor], dtype=np.float64)
    if value.ndim != len(perm):
        raise unsupported(node, f"its weights must have {len(perm)} axes, they have {value.ndim}")
    found = Weights(value, value)
    codes: Floats | None = None
    scale: Floats = np.ones(())
    for source in reversed(chain):
        if source.op == "Transpose":
            axes = source.whole("perm", tuple(reversed(range(value.ndim))))
            if sorted(axes) != list(range(value.ndim)):
                raise unsupported(source, f"its perm must name {value.ndim} axes")
            found = found.arranged(lambda a, axes=axes: a.transpose(axes))
            scale = scale.transpose(axes) if scale.ndim else scale
        elif codes is not None:
            raise unsupported(source, "weights must be quantised once")
        else:
            quantiser = quantiser_of(graph, source, _any_shape)
            if np.any(quantiser.zero):
                raise unsupported(source, "the zero point of weights must be 0")
            codes, scale, bits = _quantised(source, quantiser, found.real)
            found = Weights(codes * scale, found.start, codes.astype(np.int64), None, bits)
    found = found.arranged(lambda a: a.transpose(perm))
    if found.codes is None:
        return found
    per_row = scale.transpose(perm) if scale.ndim else scale
    if per_row.size not in (1, len(found.real)) or (per_row.size > 1 and per_row.shape[0] == 1):
        raise unsupported(node, "its weights must have one scale, or one for each output channel")
    rows = np.broadcast_to(per_row.ravel(), (len(found.real),)).astype(np.float64)
    return Weights(found.real, found.start, found.codes, rows, found.bits)


def _quantised(node: Node, quantiser: Quantiser, real: Floats) -> tuple[Floats, Floats, int]:
    """Return codes, their scale with as many axes as the weights (or none), and their bits."""
    scale = quantiser.scale
    if scale.ndim > real.ndim:
        raise unsupported(node, "its scale must have no more axes than the weights")
    if scale.size == 1:
        scale = scale.reshape(())
    else:
        scale = scale.reshape((1,) * (real.ndim - scale.ndim) + scale.shape)
    try:
        codes = np.broadcast_to(quantiser.codes(real), real.shape)
    except ValueError:
        raise unsupported(node, "its scale must fit the weights") from None
    if codes.shape != real.shape:
        raise unsupported(node, "its scale must fit the weights")
    if quantiser.bits == 1 and not quantiser.bipolar:
        raise unsupported(node, "weights of 1 bit must be -1 and +1 (BipolarQuant)")
    if quantiser.bipolar:
        return codes, scale, 1
    bits = quantiser.bits
    if not quantiser.signed and codes.max(initial=0) > 2 ** (bits - 1) - 1:
        bits += 1  # hardware has signed weights
    return codes, scale, bits


def _any_shape(array: Any) -> Floats:
    return np.asarray(array, dtype=np.float64)
