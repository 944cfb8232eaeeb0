"""Reports under FINN's names: keys and definitions are FINN's, numbers those of the prediction."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from cost_models import analytic
from cost_models.reports import finn_estimate
from dse.calibration.project import read_projects
from dse.emit.finn_reports import critical_path_cycles, finn_reports
from dse.folding.estimate import estimate as price
from dse.ir.hardware import HardwareEstimate, Resources, UnitEstimate
from dse.ir.stages import Parallel
from dse.ir.units import AddUnit, Fifo, ForkUnit, MatrixUnit

NAMES = (
    "estimate_layer_cycles",
    "estimate_layer_resources",
    "estimate_network_performance",
    "op_and_param_counts",
)


def read(files: dict[PurePosixPath, str]) -> dict[str, Any]:
    return {path.stem: json.loads(text) for path, text in files.items()}


def dense(name: str, mh: int, mw: int, weights: int, outputs: int) -> MatrixUnit:
    return MatrixUnit(name, mh, mw, 1, 1, 1, weights, 4, False, outputs, "bram", "lut")


def test_a_published_build() -> None:
    """A 4-bit MLP at PE = SIMD = 1: cycles, counts and performance as its FINN build reported them (10 ns)."""
    units = (
        dense("a", 128, 4096, 8, 1),
        dense("b", 64, 128, 8, 1),
        dense("c", 32, 64, 8, 1),
        dense("d", 2, 32, 8, 0),
    )
    layer = UnitEstimate(*3 * (Resources(1),))
    found = read(finn_reports(units, HardwareEstimate((), layer, 1, 1, 100.0, "test"), 100.0))
    assert set(found) == set(NAMES)
    assert list(found["estimate_layer_cycles"].values()) == [524288, 8192, 2048, 64]
    assert found["estimate_network_performance"] == {
        "critical_path_cycles": 534592,
        "max_cycles": 524288,
        "max_cycles_node_name": "MVAU_hls_0",
        "estimated_throughput_fps": 190.73486328125,
        "estimated_latency_ns": 5345920.0,
    }
    counts = found["op_and_param_counts"]
    assert counts["total"]["op_mac_4bx8b"] == counts["total"]["param_weight_8b"] == 534592
    assert sum(v for k, v in counts["MVAU_hls_0"].items() if "threshold" in k) == 128
    assert set(counts["MVAU_hls_3"]) == {"op_mac_4bx8b", "param_weight_8b"}


def test_of_two_branches_the_slower_one_is_on_the_path() -> None:
    slow, quick = dense("a", 8, 8, 2, 2), dense("b", 4, 4, 2, 2)
    fork, join = ForkUnit("x", 4, 8, 2, 2), AddUnit("y", 4, 8, 4, 2, (False, False))
    branches = ((slow, Fifo("y", 2, 8)), (quick, Fifo("y", 2, 8)))
    assert critical_path_cycles((quick, Parallel(fork, branches, join))) == 16 + 16 + 64 + 8


@pytest.fixture
def predicted(tiny: Any, board: Any) -> HardwareEstimate:
    return price(tiny[0], tiny[1], board, 100.0, analytic.load(board.family))


def test_what_stands_in_a_project(tiny: Any, emit: Any, predicted: HardwareEstimate) -> None:
    project = emit(tiny, estimate=predicted)
    files = {p: str(t) for p, t in project.files.items() if p.parts[0] == "report"}
    found = read(files)
    rows = found["estimate_layer_resources"]
    assert list(rows) == ["MVAU_hls_0", "StreamingMaxPool_hls_0", "MVAU_hls_1", "total"]
    row = ["BRAM_18K", "BRAM_efficiency", "LUT", "URAM", "URAM_efficiency", "DSP"]
    assert all(list(rows[name]) == row for name in rows if name != "total")
    for key, resource in (("LUT", "lut"), ("BRAM_18K", "bram18"), ("DSP", "dsp")):
        total = getattr(predicted.total.expected, resource)
        assert rows["total"][key] == pytest.approx(total)
        assert sum(rows[n][key] for n in rows if n != "total") == pytest.approx(total)
    assert found["estimate_network_performance"]["max_cycles"] == predicted.interval_cycles
    # half of the weights of the pruned layer are neither executed nor stored
    weights = found["op_and_param_counts"]["MVAU_hls_1"]
    assert weights["op_mac_2bx2b"] == weights["param_weight_2b"] == 3 * 16 // 2
    said = json.loads(str(project.files[PurePosixPath("design.json")]))["report"]
    assert (said["kind"], said["source"]) == ("predicted", predicted.source)
    assert {f"{name}.json" for name in NAMES} < set(said)


def test_our_reader_of_finns_reports_reads_them_and_none_is_learned_from(
    tiny: Any, emit: Any, predicted: HardwareEstimate, tmp_path: Path
) -> None:
    folder: Path = emit(tiny, estimate=predicted).write(tmp_path / "p")
    for name in NAMES[:3]:
        path = folder / "report" / f"{name}.json"
        assert finn_estimate.recognises(path, path.read_text())
        assert {m.kind for m in finn_estimate.parse(path)} == {"estimate"}
    records, skipped = read_projects([folder], None, None)
    assert (records, skipped) == ((), ())
