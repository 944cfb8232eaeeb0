"""The integers of a quantised layer: weights, and the sums at which its code steps up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dse.importing.chain import applied, line_of, signs
from dse.importing.graph import Floats
from dse.importing.quantiser import Quantiser
from dse.importing.values import Product, Value, uniform
from dse.importing.weights import Ints
from dse.ir.accelerator import MatrixParameters
from dse.ir.numbers import IntType

NEAR = 1e-9  # relative: what is closer is the same scale, written twice


class InexactError(Exception):
    """Why integers of the model cannot be taken over: a clause for a message."""


def parameters(value: Value, quantiser: Quantiser) -> MatrixParameters:
    """Return the integers of a product with the quantiser behind it.

    Raises:
        InexactError: the model does not have them.
    """
    product, weights = _product(value)
    assert value.type is not None
    rows = len(weights)
    gain, offset = real_line(value, product)
    sign = signs(value.chain, rows)
    weights = _flipped(weights, sign)
    bits = 1 if quantiser.one_bit else quantiser.bits
    low, high = _attainable(weights, value.type)
    smallest = quantiser.type.min

    def code(sums: Floats) -> Floats:
        real = (sums * (gain * sign)[:, None] + offset[:, None]).T
        found = quantiser.codes(applied(value.chain, real)).T
        return (found + 1) / 2 if bits == 1 else found - smallest

    thresholds = _steps(code, low, high, 2**bits - 1)
    kept = np.ones(weights.shape, np.bool_)
    return MatrixParameters(_bits(product, weights), weights, kept, bits, thresholds)


def scores(value: Value) -> tuple[MatrixParameters, float]:
    """Return the integers of the last layer, and the largest error of a bias in units of a sum.

    Raises:
        InexactError: the model does not have them.
    """
    product, weights = _product(value)
    gain, offset = real_line(value, product)
    line = line_of(value.chain)
    if line is None:
        msg = "a curve stands behind the class scores"
        raise InexactError(msg)
    a = np.broadcast_to(gain * line.a, (len(weights),))
    b = np.broadcast_to(offset * line.a + line.b, (len(weights),))
    if np.any(a == 0) or np.ptp(a) > NEAR * np.abs(a).max():
        msg = "its class scores have scales of their own, so sums cannot be compared"
        raise InexactError(msg)
    if a[0] < 0:
        weights = _flipped(weights, np.full(len(weights), -1.0))
    wanted = b / np.abs(a)
    bias = np.rint(wanted)
    if np.abs(bias).max() >= 2**31:
        msg = "its bias is far larger than its sums"
        raise InexactError(msg)
    kept = np.ones(weights.shape, np.bool_)
    whole = None if not bias.any() else bias.astype(np.int64)
    found = MatrixParameters(_bits(product, weights), weights, kept, None, None, bias=whole)
    return found, float(np.abs(wanted - bias).max())


def real_line(value: Value, product: Product) -> tuple[Floats, Floats]:
    """Return `(mh,)` a and b: the real product is a * (sum of the integers) + b.

    Raises:
        InexactError: it is no such line.
    """
    a, b = value.line
    weights = product.weights
    assert weights.scale is not None
    assert value.type is not None
    rows, columns = weights.real.shape
    if product.padding and np.any(
        np.abs(a * value.type.min_code_value + b) > NEAR * np.abs(a).max()
    ):
        msg = f"it pads with 0, which is no code of its input (-1 and +1, or {_shown(b)} off)"
        raise InexactError(msg)
    if product.kind in ("dw", "quant", "mean"):
        offset = np.broadcast_to(b, (rows,)) * weights.real.sum(axis=1)
        return np.broadcast_to(a, (rows,)) * weights.scale, offset
    if not uniform(a):
        msg = "the channels of its input have scales of their own, so products cannot be summed"
        raise InexactError(msg)
    positions = columns // b.size if b.ndim else 1
    per_column = np.tile(b, positions) if b.ndim else np.full(columns, b)
    return np.full(rows, a.flat[0]) * weights.scale, weights.real @ per_column


def _product(value: Value) -> tuple[Product, Ints]:
    product = value.product
    assert product is not None
    if product.weights.codes is None:
        msg = "its weights are not quantised"
        raise InexactError(msg)
    if value.type is None:
        msg = "its input is not quantised"
        raise InexactError(msg)
    return product, product.weights.codes


def _flipped(weights: Ints, sign: Floats) -> Ints:
    return weights * sign.astype(np.int64)[:, None]


def _bits(product: Product, weights: Ints) -> int:
    """Return the bits that hold the weights: one more where the full range is used both ways.

    Accumulators are made for the narrow range, without -2**(bits - 1).
    """
    bits = product.weights.bits
    if bits == 1:
        return 1
    most = 2 ** (bits - 1) - 1
    narrow = np.abs(weights).sum(axis=1).max() <= most * weights.shape[1]
    return bits if narrow and weights.max() <= most else bits + 1


def _attainable(weights: Ints, source: IntType) -> tuple[Ints, Ints]:
    positive = np.maximum(weights, 0).sum(axis=1)
    negative = np.minimum(weights, 0).sum(axis=1)
    low = positive * source.min + negative * source.max
    return low, positive * source.max + negative * source.min


def _steps(code: object, low: Ints, high: Ints, count: int) -> npt.NDArray[np.int64]:
    """Return per row the `count` smallest sums whose code is at least 1, 2, ...

    The smallest attainable sum stands for "always", one more than the largest for "never".

    Args:
        code: makes codes from 0 on of `(rows, n)` sums; it never falls.
        low: `(rows,)` smallest attainable sums.
        high: `(rows,)` largest ones.
        count: of thresholds.
    """
    assert callable(code)
    wanted = np.arange(1, count + 1)
    below = np.repeat(low[:, None] - 1, count, axis=1)
    reached = np.repeat(high[:, None] + 1, count, axis=1)
    while np.any(between := reached - below > 1):
        middle = (below + reached) // 2
        up = code(middle.astype(np.float64)) >= wanted
        reached = np.where(between & up, middle, reached)
        below = np.where(between & ~up, middle, below)
    return reached


def _shown(offset: Floats) -> str:
    return f"{float(np.abs(offset).max()):.3g}"
