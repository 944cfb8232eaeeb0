"""Channels of two streams in one, as where two branches end side by side."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from dse.ir.layers._base import Ints, Join


@dataclass(frozen=True, slots=True)
class Concat(Join):
    """The channels of the first input, and behind them those of the second one, pixel by pixel.

    Both carry codes of one type and one step, so that the product behind can sum over them. `input_shape` is
    that of the first input.

    Attributes:
        second_channels: channels of the second input; its map has the size of the first one's.
    """

    second_channels: int

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The map of the inputs with the channels of both."""
        *pixels, channels = self.input_shape
        return (*pixels, channels + self.second_channels)

    @property
    def word_channels(self) -> int:
        """The greatest common divisor: a word has channels of one input only."""
        return gcd(self.input_shape[-1], self.second_channels)

    def shape_of(self, port: int) -> tuple[int, ...]:
        """Return the shape of an input."""
        return (*self.input_shape[:-1], self.second_channels) if port else self.input_shape

    def turn_words(self, port: int, pe: Ints) -> Ints:
        """Return the words of a pixel: the other input has its turn behind them."""
        return self.shape_of(port)[-1] // pe
