"""What a project has for a Zynq board: block design, packaging and a PYNQ driver (hw_templates/zynq)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from dse.emit.golden import Port
from dse.emit.rendering import environment
from dse.ir.hardware import Board
from hw_templates import folder

Flow = Literal["hls", "rtl"]

# how the parts with an Arm processing system begin: the K26 and K24 of Kria are Zynq UltraScale+, too
PROCESSING_SYSTEMS = {"zynq7": r"xc7z", "zynqmp": r"xczu|xck2"}
# middle of the board part in Vivado's board files (vendor:NAME:part0:version)
BOARD_PARTS = {
    "Pynq-Z1": "pynq-z1",  # Digilent
    "Pynq-Z2": "pynq-z2",  # TUL
    "Ultra96-V2": "ultra96v2",  # Avnet
    "ZCU102": "zcu102",
    "ZCU104": "zcu104",
    "KV260": "kv260_som",
}
LENGTH_BITS = 26  # widest c_sg_length_width of AXI DMA (AMD PG021): 64 MiB in one transfer
MAX_STREAM_BITS = 1024  # widest stream of AXI DMA (AMD PG021)


def processing_system(part: str) -> str | None:
    """Return "zynq7" or "zynqmp", None where the part has no Arm processing system."""
    return next((k for k, p in PROCESSING_SYSTEMS.items() if re.match(p, part.lower())), None)


def no_block_design(board: Board, source: Port) -> str:
    """Return why there is no block design and no driver; empty where there is.

    Args:
        board: what the project is built for.
        source: input side; the output side is a class score, which is never too wide.
    """
    if processing_system(board.part) is None:
        return (
            "the part has no Arm processing system (it is no Zynq): connect the two streams to a shell of"
            " your own"
        )
    if source.axis_bits > MAX_STREAM_BITS:
        return (
            f"an input word has {source.axis_bits} bits and AXI DMA takes {MAX_STREAM_BITS} at most: choose"
            " a smaller SIMD for the first layer"
        )
    return ""


def board_files(
    context: Mapping[str, Any], flow: Flow, board: Board
) -> dict[PurePosixPath, str | bytes]:
    """Return the files of board/ and driver/; none where `context["no_block_design"]` has a reason.

    Args:
        context: what the templates of the project read.
        flow: "hls" takes the IP that Vitis HLS exports, "rtl" packages its own.
        board: what the project is built for.
    """
    if context["no_block_design"]:
        return {}
    root = folder("zynq")
    templates = environment(root)
    names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.j2"))
    values = {
        **context,
        "flow": flow,
        "ps": processing_system(board.part),
        "board_part": BOARD_PARTS.get(board.name, ""),
        "length_bits": LENGTH_BITS,
    }
    return {
        PurePosixPath(name.removesuffix(".j2")): templates.get_template(name).render(values)
        for name in names
        if flow == "rtl" or "package_ip" not in name
    }
