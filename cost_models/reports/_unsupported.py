"""Why a file that is often found among reports is none that is read."""

from __future__ import annotations

import re

REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), reason)
    for pattern, reason in (
        (
            r"\A\s*<design_size\b|^== Design Size Report",
            "instruction counts of the HLS compiler, no resources and no cycles",
        ),
        (
            r'"(HlsSolution|RtlSubPrefix)"\s*:',
            "settings of an HLS solution; its results are in csynth.xml",
        ),
        (r'\A\s*\{\s*"Defaults"\s*:', "a configuration of FINN, the input of a build"),
        (r"^HLSConfig:", "a configuration of hls4ml"),
        (r'\A\s*\{\s*"step_\w+"\s*:', "seconds that the steps of a FINN build took"),
        (r'"(op_mac_|param_weight_|param_threshold_)', "operations and parameters of a network"),
        (
            r'\A\s*\{\s*"[^"]+"\s*:\s*\[\s*\{\s*"BRAM_18K"',
            "alternatives of each layer, none of which need have been built",
        ),
        (r'"alut"|"quartus|"summary_type"|"loop_attributes"', "a report of Intel oneAPI"),
        (r"\A\s*\d+\. Printing statistics\.", "yosys statistics as text; use `stat -json`"),
        (
            r"\ALUT=[\d.]+\nFF=",
            "counts without tool and part, block RAM of 18 and 36 Kb in one number",
        ),
    )
)
UNKNOWN = "not a report that is read here"


def reason(head: str) -> str:
    """Return the reason; a general one for a file that is not known at all."""
    return next((text for pattern, text in REASONS if pattern.search(head)), UNKNOWN)
