"""What stands between a sum and its quantiser: steps on real numbers, channel by channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dse.importing.graph import Floats, Node, unsupported


@dataclass(frozen=True)
class Line:
    """a * x + b, with one a and b or one per channel."""

    a: Floats
    b: Floats


@dataclass(frozen=True)
class Curve:
    """A function that never falls, such as ReLU.

    Attributes:
        name: of the operation.
        function: of real numbers.
        relu: whether it is max(x, 0) where x is not large.
    """

    name: str
    function: Callable[[Floats], Floats]
    relu: bool = False


Step: TypeAlias = Line | Curve
Chain: TypeAlias = tuple[Step, ...]
ONE, ZERO = np.ones(()), np.zeros(())


def then(chain: Chain, step: Step) -> Chain:
    """Return a chain with one more step; lines one behind the other become one."""
    if chain and isinstance(step, Line) and isinstance(last := chain[-1], Line):
        return (*chain[:-1], Line(last.a * step.a, last.b * step.a + step.b))
    return (*chain, step)


def applied(chain: Chain, x: Floats) -> Floats:
    """Return what the steps make of real numbers, the channel last."""
    for step in chain:
        x = x * step.a + step.b if isinstance(step, Line) else step.function(x)
    return x


def line_of(chain: Chain) -> Line | None:
    """Return the chain as one line; None where it has curves."""
    if not chain:
        return Line(ONE, ZERO)
    return chain[0] if len(chain) == 1 and isinstance(chain[0], Line) else None


def falls(chain: Chain) -> bool:
    """Whether a larger number may become a smaller one, in some channel."""
    return any(isinstance(s, Line) and bool(np.any(s.a < 0)) for s in chain)


def signs(chain: Chain, rows: int) -> Floats:
    """Return per row -1 where the chain falls with its input, else +1."""
    sign = np.ones(rows)
    for step in chain:
        if isinstance(step, Line):
            sign = sign * np.where(step.a < 0, -1.0, 1.0)
    return sign


def curve_of(node: Node, low: float | None, high: float | None) -> Curve:
    """Return the step of an activation function.

    Args:
        node: the function.
        low: where a Clip begins; None: nowhere.
        high: where it ends.

    Raises:
        UsageError: it is none that never falls.
    """
    if node.op == "Relu":
        return Curve("Relu", lambda x: np.maximum(x, 0.0), relu=True)
    if node.op == "Clip":
        bottom, top = (-np.inf if low is None else low), (np.inf if high is None else high)
        if bottom > top:
            raise unsupported(node, f"its lower end {bottom:g} must not be above {top:g}")
        return Curve("Clip", lambda x: np.clip(x, bottom, top), relu=bottom == 0)
    if node.op == "LeakyRelu":
        slope = node.number("alpha", 0.01)
        if slope < 0:
            raise unsupported(node, f"its alpha must not be below 0, it is {slope:g}")
        return Curve("LeakyRelu", lambda x: np.where(x < 0, slope * x, x))
    if node.op == "Sigmoid":
        return Curve("Sigmoid", lambda x: 0.5 * (1 + np.tanh(0.5 * x)))
    if node.op == "Tanh":
        return Curve("Tanh", np.tanh)
    if node.op == "HardSigmoid":
        alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
        if alpha < 0:
            raise unsupported(node, f"its alpha must not be below 0, it is {alpha:g}")
        return Curve("HardSigmoid", lambda x: np.clip(alpha * x + beta, 0, 1))
    raise unsupported(node, "the operation is not supported", "leave it out of the exported model")


CURVES = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid")
