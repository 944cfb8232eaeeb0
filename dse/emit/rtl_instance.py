"""One instance of a module of hw_templates/rtl: its parameters, memory files and wires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dse.ir.units import DuplicateUnit, ForkUnit, SkippingWindowUnit, Unit

Parameters = Mapping[str, int | str]


@dataclass(frozen=True)
class Instance:
    """One instance of a Verilog module.

    Attributes:
        name: of the unit, as in design.json.
        unit: what it is.
        module: file of hw_templates/rtl.
        parameters: of the module; strings are Verilog strings.
        memories: file name -> text of its memory files.
        in_bits: of an input word.
        out_bits: of an output word.
        inputs: the wires that it reads, by the names of who drives them (`outputs`).
        has_weights: it has the ports of a load stream.
        load: wires of the load stream that it reads and of the one that it drives; None: its weights are constants.
    """

    name: str
    unit: Unit
    module: str
    parameters: Parameters
    memories: Mapping[str, str]
    in_bits: int
    out_bits: int
    inputs: tuple[str, ...] = ()
    has_weights: bool = False
    load: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Name of the instance in Verilog, where `output` is a keyword."""
        return "output_fifo" if self.name == "output" else self.name

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the wires that it drives."""
        forks = isinstance(self.unit, ForkUnit) and not isinstance(self.unit, DuplicateUnit)
        if forks or isinstance(self.unit, SkippingWindowUnit):
            return f"{self.label}_0", f"{self.label}_1"
        return (self.label,)

    @property
    def driven(self) -> tuple[tuple[str, int], ...]:
        """Wires that it drives, and bits of their words: of a mask, one."""
        bits = (self.out_bits, 1 if isinstance(self.unit, SkippingWindowUnit) else self.out_bits)
        return tuple(zip(self.outputs, bits, strict=False))

    @property
    def ports(self) -> tuple[tuple[str, str], ...]:
        """Port and name of the wires of every stream that it reads or writes."""
        return tuple(
            (side if len(wires) == 1 else f"{side}{i}", name)
            for side, wires in (("in", self.inputs), ("out", self.outputs))
            for i, name in enumerate(wires)
        )
