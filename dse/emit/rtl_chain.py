"""The units of a pipeline as instances of Verilog modules, joined by wires."""

from __future__ import annotations

from dataclasses import replace

from dse.emit.chain import Chain, Loading, Module
from dse.emit.rtl_instance import Instance
from dse.emit.rtl_skipping import constant_fill, skipping_window
from dse.emit.rtl_units import instance, lane_instance, ring_memory
from dse.ir.accelerator import Accelerator
from dse.ir.units import FillUnit, LaneUnit, ProductUnit, SkippingWindowUnit

INPUT = "source"  # wires of the stream that enters the whole design
LOADED = "loads_end"  # of the load stream behind the last unit: it says that all weights have come


def instances(chain: Chain, accelerator: Accelerator) -> tuple[Instance, ...]:
    """Return the instances in stream order, each behind those that drive its inputs.

    Args:
        chain: the units with their names.
        accelerator: the integers of the matrix units.
    """
    fifos = dict(chain.fifos)
    wires = {chain.input.name: INPUT}  # of every stream, where it is read
    result = []
    for module in chain.modules:
        sources, targets = module.processes[0].sources, module.processes[-1].targets
        reads = tuple(wires[s.name] for s in sources if not s.counts)
        result.append(
            replace(_instance(module, accelerator), inputs=reads, load=_load(module.loading))
        )
        written = [s for s in targets if not s.counts]
        for stream, driven in zip(written, result[-1].outputs, strict=True):
            wires[stream.name] = driven
            if stream.name in fifos:
                fifo = instance(stream.name, fifos[stream.name])
                result.append(replace(fifo, inputs=(driven,)))
                wires[stream.name] = fifo.label
    return tuple(result)


def _load(loading: Loading | None) -> tuple[str, str] | None:
    if loading is None:
        return None
    return loading.source.name, LOADED if loading.target is None else loading.target.name


def _instance(m: Module, accelerator: Accelerator) -> Instance:
    if isinstance(m.unit, LaneUnit):
        return lane_instance(m.name, m.unit, accelerator.lanes[m.unit.layer])
    if isinstance(m.unit, SkippingWindowUnit | FillUnit):
        return _skipping(m, m.unit, accelerator)
    integers = accelerator.parameters[m.unit.layer] if isinstance(m.unit, ProductUnit) else None
    of_codes = m.traits.get("is_signed") or m.traits.get("out_signed")
    return instance(m.name, m.unit, integers, is_signed=bool(of_codes))


def _skipping(m: Module, unit: SkippingWindowUnit | FillUnit, accelerator: Accelerator) -> Instance:
    if isinstance(unit, FillUnit):
        built = constant_fill(m, unit, accelerator)
    else:
        built = skipping_window(m, unit, accelerator, ring_memory(unit))
    bits = int(unit.bits)
    return Instance(m.name, unit, *built, int(unit.in_width) * bits, int(unit.out_width) * bits)
