"""What a design costs, and how we know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

RESOURCES = ("lut", "ff", "dsp", "bram18", "uram")


@dataclass(frozen=True, slots=True)
class Resources:
    """FPGA resources; BRAM in blocks of 18 Kb, URAM in blocks of 288 Kb."""

    lut: float = 0
    ff: float = 0
    dsp: float = 0
    bram18: float = 0
    uram: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @staticmethod
    def total(parts: Iterable[Resources]) -> Resources:
        """Return the sum of the parts."""
        total = Resources()
        for part in parts:
            total = total + part
        return total

    def rounded(self) -> Resources:
        """Return whole counts."""
        return Resources(*(round(v) for v in astuple(self)))

    def to_json(self) -> dict[str, float]:
        """Return {resource: count}."""
        return {name: getattr(self, name) for name in RESOURCES}


@dataclass(frozen=True, slots=True)
class Board:
    """A board: its part, what it has, and the share of it a design should use."""

    name: str
    part: str
    family: str  # "7series" | "ultrascale+"
    resources: Resources
    usable_share: Mapping[str, float]  # resource -> 0..1, the rule of thumb for timing closure
    max_clock_mhz: float  # above it: a warning
    source: str
    slrs: int = 1  # dies (super logic regions), all alike


@dataclass(frozen=True, slots=True)
class UnitEstimate:
    """Predicted resources of one unit with the ends of the 90 % interval."""

    expected: Resources
    low: Resources
    high: Resources

    def __add__(self, other: UnitEstimate) -> UnitEstimate:
        return UnitEstimate(
            self.expected + other.expected, self.low + other.low, self.high + other.high
        )

    def to_json(self) -> dict[str, dict[str, float]]:
        """Return plain JSON values."""
        return {end: getattr(self, end).to_json() for end in self.__dataclass_fields__}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> UnitEstimate:
        """Rebuild an estimate from its plain JSON values."""
        return UnitEstimate(**{f.name: Resources(**value[f.name]) for f in fields(UnitEstimate)})


@dataclass(frozen=True, slots=True)
class LayerEstimate:
    """What one layer costs: its matrix or pooling unit, window unit, converters and FIFOs in front."""

    name: str
    resources: UnitEstimate
    cycles: int  # per frame, of the slowest unit of the layer
    vectors: int
    macs: int  # executed multiply-accumulates per frame
    weight_kib: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__}
        value["resources"] = self.resources.to_json()
        return value


@dataclass(frozen=True, slots=True)
class HardwareEstimate:
    """What a design costs, per layer and in total. Everything here is predicted."""

    layers: tuple[LayerEstimate, ...]
    total: UnitEstimate
    interval_cycles: int  # between frames
    latency_cycles: int  # first input word to last output word
    clock_mhz: float
    source: str  # which model, which coefficients: "analytic"

    @property
    def latency_us(self) -> float:
        """Latency of one frame in microseconds."""
        return self.latency_cycles / self.clock_mhz

    @property
    def throughput_fps(self) -> float:
        """Frames per second."""
        return self.clock_mhz * 1e6 / self.interval_cycles

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values. Not by `dataclasses.asdict`: every trial of a study is written so."""
        value = {name: getattr(self, name) for name in self.__dataclass_fields__}
        value["layers"] = [layer.to_json() for layer in self.layers]
        value["total"] = self.total.to_json()
        return value

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> HardwareEstimate:
        """Rebuild an estimate from `to_json`."""
        layers = tuple(
            LayerEstimate(**{**v, "resources": UnitEstimate.from_json(v["resources"])})
            for v in value["layers"]
        )
        total = UnitEstimate.from_json(value["total"])
        return HardwareEstimate(**{**value, "layers": layers, "total": total})
