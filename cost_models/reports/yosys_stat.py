"""`stat -json` of yosys on a netlist of `synth_xilinx`; layouts of 0.23 and of 0.70, also -hierarchy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cost_models.reports._errors import ReportError
from cost_models.reports._file import ReportFile, load
from cost_models.reports._numbers import count
from cost_models.reports._xilinx_cells import uses
from dse.ir.hardware import RESOURCES
from dse.ir.measurement import Measurement

MAX_DEPTH = 100  # levels of hierarchy


def recognises(path: Path, head: str) -> bool:
    """Whether yosys created the file with `stat`."""
    return (
        re.match(r'\s*\{\s*"creator"\s*:\s*"Yosys[^"]*",\s*"invocation"\s*:\s*"stat', head)
        is not None
    )


def parse(path: Path) -> tuple[Measurement, ...]:
    """Return one measurement per module, each with the modules below it.

    The list of cells is complete, so a resource without a cell is stated to be 0.

    Raises:
        ReportError: the file is damaged, or a cell is neither a Xilinx cell nor a module of the file.
    """
    file = load(path)
    value = file.json()
    version = re.match(r"Yosys (\S+)", str(value.get("creator")))
    if version is None:
        raise ReportError(file.name, "a creator 'Yosys ...'", repr(value.get("creator")))
    stated = _object(file, value, "modules")
    modules = {name.removeprefix("\\"): _object(file, stated, name) for name in stated}
    if not modules:
        raise ReportError(file.name, "modules", "none")
    netlist = _Netlist(file, modules)
    found = []
    for name in modules:
        total = netlist.total(name, ())
        found.append(
            file.measurement(
                name,
                "synth",
                {r: float(total[r]) for r in RESOURCES},
                tool=f"yosys {version[1]}",
                extras={k: float(v) for k, v in total.items() if k not in RESOURCES},
            )
        )
    return tuple(found)


class _Netlist:
    """The modules of a file, with their sums as they are asked for."""

    def __init__(self, file: ReportFile, modules: Mapping[str, Mapping[str, Any]]) -> None:
        self.file = file
        self.modules = modules
        self.known: dict[str, Counter[str]] = {}

    def total(self, name: str, above: tuple[str, ...]) -> Counter[str]:
        """Return what a module takes together with the modules below it."""
        if name in self.known:
            return self.known[name]
        if name in above or len(above) > MAX_DEPTH:
            raise ReportError(
                self.file.name,
                f"a hierarchy of at most {MAX_DEPTH} levels",
                f"{name!r} in itself or deeper",
            )
        module = self.modules[name]
        total: Counter[str] = Counter()
        if "estimated_num_lc" in module:
            total["estimated_lc"] = self._count(name, module["estimated_num_lc"])
        for cell, number in self._cells(name, module).items():
            inner = cell.removeprefix("\\")
            if inner in self.modules:
                taken: Mapping[str, int] | None = self.total(inner, (*above, name))
            else:
                taken = uses(cell)
            if taken is None:
                raise ReportError(
                    self.file.name,
                    "Xilinx cells (run synth_xilinx) and modules of the file",
                    repr(cell),
                )
            for key, each in taken.items():
                total[key] += number * each
        self.known[name] = total
        return total

    def _cells(self, name: str, module: Mapping[str, Any]) -> dict[str, int]:
        """Return {cell type: count}, checked against the number of cells.

        Yosys 0.23 counts instances of modules as cells, 0.70 counts them apart but lists them among the
        cells. With -hierarchy (0.70) counts include the modules below, which are listed apart.
        """
        listed = _object(self.file, module, "num_cells_by_type")
        cells = {cell: self._count(name, v) for cell, v in listed.items()}
        expected = self._count(name, module.get("num_cells"))
        if "num_submodules_by_type" not in module:
            expected += self._count(name, module.get("num_submodules", 0))
        if sum(cells.values()) != expected:
            raise ReportError(
                self.file.name, f"{expected} cells in {name!r}", str(sum(cells.values()))
            )
        return cells

    def _count(self, name: str, value: Any) -> int:
        if isinstance(value, dict):  # with -hierarchy: {"count": "18", "local_count": ...}
            value = value.get("count")
        return int(count(self.file, f"cells of {name!r}", value))


def _object(file: ReportFile, value: Mapping[str, Any], key: str) -> dict[str, Any]:
    inner = value.get(key)
    if not isinstance(inner, dict):
        raise ReportError(file.name, f"an object {key!r}", type(inner).__name__)
    return inner
