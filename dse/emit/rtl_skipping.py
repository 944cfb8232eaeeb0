"""The Verilog units around a layer that skips positions: parameters and memory files."""

from __future__ import annotations

from dse.emit.chain import Module
from dse.emit.rtl_memory import memory_text
from dse.emit.skipping import checked_mask, constant_codes, filling_type, reference_codes
from dse.ir.accelerator import Accelerator
from dse.ir.units import FillUnit, SkippingWindowUnit

Built = tuple[str, dict[str, int | str], dict[str, str]]


def skipping_window(
    m: Module, unit: SkippingWindowUnit, accelerator: Accelerator, memory: str
) -> Built:
    """Return module, parameters and memory files of a window unit; `memory`: of its ring."""
    spatial = checked_mask(unit, accelerator.parameters[unit.layer].spatial)
    element, bits = accelerator.input_type(unit.layer), int(unit.bits)
    most = unit.grid.span**2 * int(unit.channels) * (2**bits - 1)
    file = f"{m.name}_reference.hex"
    parameters: dict[str, int | str] = {
        "HEIGHT": unit.height,
        "WIDTH": unit.width,
        "WORDS": int(unit.channels // unit.simd),
        "SIMD": int(unit.simd),
        "ELEMENT": bits,
        "IS_SIGNED": int(m.traits["is_signed"]),
        "KERNEL": unit.kernel,
        "STRIDE": unit.stride,
        "PADDING": unit.padding,
        "TILE": unit.tile,
        # no sum is larger than `most`, so a larger threshold is as good as the next number
        "LEAST": min(spatial.least, most + 1),
        "SUM_BITS": (most + 1).bit_length(),
        "REFERENCE": file,
        "MASK_DEPTH": unit.mask_depth,
        "RING_ROWS": int(unit.ring_rows),
        "MEMORY": memory,
    }
    text = memory_text(reference_codes(unit, spatial, element), bits)
    return "skipping_window", parameters, {file: text}


def constant_fill(m: Module, unit: FillUnit, accelerator: Accelerator) -> Built:
    """Return module, parameters and memory files of a fill unit."""
    spatial = checked_mask(unit, accelerator.parameters[unit.layer].spatial)
    element = filling_type(accelerator, unit.layer)
    file = f"{m.name}_constants.hex"
    parameters: dict[str, int | str] = {
        "HEIGHT": unit.height,
        "WIDTH": unit.width,
        "WORDS": int(unit.channels // unit.pe),
        "BITS": int(unit.pe) * int(unit.bits),
        "TILE": unit.tile,
        "CONSTANTS": file,
    }
    text = memory_text(constant_codes(unit, spatial, element), int(unit.bits))
    return "constant_fill", parameters, {file: text}
