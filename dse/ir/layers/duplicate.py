"""Every channel twice: the shortcut of a block that doubles the channels."""

from __future__ import annotations

from dataclasses import dataclass

from dse.ir.layers._base import Layer


@dataclass(frozen=True, slots=True)
class Duplicate(Layer):
    """Channel c of the input becomes channels 2 c and 2 c + 1.

    ReActNet concatenates two branches that have the same shortcut. The order of channels is free, and in
    this one a word of the stream becomes a wider word at once; nothing waits.
    """

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the input with twice the channels."""
        *pixels, channels = self.input_shape
        return (*pixels, 2 * channels)
