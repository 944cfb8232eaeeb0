"""A foreign network as it was read: nodes in order, constants, one input, one output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dse.errors import UsageError

Floats: TypeAlias = npt.NDArray[np.float64]
LONGEST = 80  # characters of a foreign name that a message shows


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation.

    Attributes:
        name: as in the file, for messages only.
        op: ONNX or QONNX operation.
        inputs: names of tensors; an empty name is an input left out.
        output: name of its first output, the only one that is looked at.
        attributes: numbers, tuples of numbers, texts and arrays by name.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Operation and name as messages say them; a name from a file may hold anything."""
        op = printable(self.op) or "without operation"
        return f"{op} {printable(self.name)!r}" if self.name else op

    def number(self, key: str, default: float) -> float:
        """Return a numeric attribute.

        Raises:
            UsageError: it is no number.
        """
        value = self.attributes.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise unsupported(self, f"its attribute {key} must be a number")
        return value

    def whole(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return an attribute that is a list of whole numbers.

        Raises:
            UsageError: it is none.
        """
        value = self.attributes.get(key, default)
        if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
            raise unsupported(self, f"its attribute {key} must be a list of whole numbers")
        return value

    def text(self, key: str, default: str) -> str:
        """Return an attribute that is a text.

        Raises:
            UsageError: it is none.
        """
        value = self.attributes.get(key, default)
        if not isinstance(value, str):
            raise unsupported(self, f"its attribute {key} must be a text")
        return value


@dataclass(frozen=True)
class Graph:
    """A foreign network.

    Attributes:
        name: of the file or function it came from.
        nodes: in an order in which every input is there when it is needed.
        constants: tensors with known values, floating point ones in float64.
        input: name of the tensor that is the network's input.
        input_shape: as in the file, with a first axis for the batch.
        output: name of the tensor that is the network's output.
    """

    name: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, npt.NDArray[Any]]
    input: str
    input_shape: tuple[int, ...]
    output: str

    def readers(self, tensor: str) -> tuple[Node, ...]:
        """Return the nodes that read a tensor."""
        return tuple(n for n in self.nodes if tensor in n.inputs)

    def constant(self, node: Node, index: int) -> npt.NDArray[Any] | None:
        """Return the constant that is an input of a node; None where there is no such input.

        Raises:
            UsageError: that input is computed.
        """
        name = node.inputs[index] if index < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.constants:
            raise unsupported(node, f"its input {index} must be a constant, it is computed")
        return self.constants[name]


def unsupported(
    node: Node, reason: str, remedy: str = "change the model, and export again"
) -> UsageError:
    """Return the error that names a node which cannot be imported, why, and what to do."""
    return UsageError(f"node {node.shown} cannot be imported: {reason}; {remedy}")


def printable(name: str) -> str:
    """Return a foreign name without control characters, and shortened."""
    plain = "".join(c if c.isprintable() else "?" for c in name)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."
