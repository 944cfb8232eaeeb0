"""Which resource a cell of a Xilinx netlist takes."""

from __future__ import annotations

import re

# Distributed RAM: LUTs per cell. AMD UG474, table 2-3 (7 series); UG574, "Distributed RAM" (UltraScale).
LUTRAM = {
    "RAM16X1S": 1,
    "RAM16X1D": 2,
    "RAM32X1S": 1,
    "RAM32X2S": 2,
    "RAM32X1D": 2,
    "RAM32M": 4,
    "RAM32M16": 8,
    "RAM32X16DR8": 8,
    "RAM64X1S": 1,
    "RAM64X1D": 2,
    "RAM64M": 4,
    "RAM64M8": 8,
    "RAM64X8SW": 8,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM256X1S": 4,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
}

# (cell types, {resource: count}); "lutram" and "srl" are LUTs and say which. AMD UG953 and UG974.
CELLS: tuple[tuple[re.Pattern[str], dict[str, int]], ...] = tuple(
    (re.compile(pattern), uses)
    for pattern, uses in (
        (r"LUT[1-6]|LUT6_2|CFGLUT5|INV", {"lut": 1}),  # an INV is built as a LUT1 (UG953)
        (r"SRLC?(16E?|32E)", {"lut": 1, "srl": 1}),
        (r"FD[CPRS]?E?|FD[CPRS]E|FD[CR][PS]E?|LD[CP]?E?", {"ff": 1}),  # latches take the same sites
        (r"(RAMB|FIFO)18(E[125])?", {"bram18": 1}),
        (r"(RAMB|FIFO)36(E[125])?", {"bram18": 2}),
        (r"URAM288(E5)?(_BASE)?", {"uram": 1}),
        (r"DSP(48(A1?|E[12]?)?|58\w*|FP32|CPLX)", {"dsp": 1}),
        # carry, wide multiplexers, buffers, clocks, constants, hard blocks, and notes of yosys
        (r"CARRY[48]|MUXCY|XORCY|MUXF[5-9]|LOOKAHEAD8|VCC|GND|PS[78]", {}),
        (
            r"(I|O|IO)BUF\w*|BUF\w*|MMCM\w*|PLL\w*|[IO](SERDES|DELAY|DDR)\w*|KEEPER|PULL(UP|DOWN)",
            {},
        ),
        (r"STARTUPE\w*|BSCANE\w*|ICAPE\w*|XADC|SYSMONE\w*|DNA_PORT\w*", {}),
        (r"\$(scopeinfo|print|check|assert|assume|cover|live|fair)", {}),
    )
)


def uses(cell: str) -> dict[str, int] | None:
    """Return the resources of a cell, {} where it takes none of ours, None where it is not known."""
    plain = re.sub(r"_1$", "", cell)  # the variants with an inverted clock
    if plain in LUTRAM:
        return {"lut": LUTRAM[plain], "lutram": LUTRAM[plain]}
    return next((uses for pattern, uses in CELLS if pattern.fullmatch(plain)), None)
