"""Sum of two streams, as at the end of a residual block."""

from __future__ import annotations

from dataclasses import dataclass

from dse.errors import UsageError
from dse.ir.layers._base import Join
from dse.ir.numbers import IntType


@dataclass(frozen=True, slots=True)
class Add(Join):
    """`clip(a + b, 0, 2**bits - 1)` of two inputs of equal shape, which are codes of one step.

    That is the addition, the ReLU and the quantisation of a residual block at once: nothing is stored, there are no
    thresholds. A branch that ends without ReLU gives signed codes (`MatrixLayer.signed`), the output
    of another `Add` is unsigned.

    Attributes:
        signed: whether the codes of the first and of the second input are signed.
    """

    signed: tuple[bool, bool]

    @property
    def output_shape(self) -> tuple[int, ...]:
        """That of the inputs."""
        return self.input_shape

    def output_type(self, element: IntType) -> IntType:
        """Return the unsigned type of as many bits as the inputs have.

        Raises:
            UsageError: the inputs have 1 bit: {-1, +1} has no zero, so nothing could be cut off.
        """
        if element.bits < 2:
            msg = (
                f"layer {self.name} adds activations, which must have 2 bits or more, got {element.bits};"
                " raise activation_bits of the layers in front of it"
            )
            raise UsageError(msg)
        return IntType(element.bits, signed=False)
