"""Power: monotone where physics is, and inside its stated band for published designs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from cost_models import _power
from cost_models._power import FAMILIES, power_w
from dse.ir.hardware import RESOURCES, Board, Resources
from hw_templates._boards import FAMILIES as BOARD_FAMILIES
from hw_templates._boards import load_board

TABLE = Path(_power.__file__).parent / "calibration_data" / "power.csv"


def board(family: str = "ultrascale+", luts: float = 1e5) -> Board:
    return Board("b", "p", family, Resources(lut=luts), {}, 300.0, "made up")


def watts(layers: np.ndarray, cycles: list[int], interval: int, mhz: float = 100.0) -> float:
    ends = np.repeat(layers[:, None], 3, axis=1)
    return float(power_w(ends, np.array(cycles), interval, mhz, board())[0])


def test_every_family_of_boards_has_constants() -> None:
    assert set(FAMILIES) == set(BOARD_FAMILIES)


@pytest.mark.parametrize("resource", range(len(RESOURCES)))
def test_more_of_anything_draws_more(resource: int) -> None:
    layers = np.full((2, len(RESOURCES)), 100.0)
    more = layers.copy()
    more[1, resource] += 1
    assert watts(more, [50, 100], 100) > watts(layers, [50, 100], 100)


def test_power_rises_with_clock_and_activity_and_energy_falls_with_pace() -> None:
    layers = np.full((2, len(RESOURCES)), 1000.0)
    assert watts(layers, [100, 100], 100, 200.0) > watts(layers, [100, 100], 100, 100.0)
    assert watts(layers, [100, 100], 100) > watts(layers, [10, 100], 100)
    # the same hardware at twice the pace of frames: more power, less energy per frame
    slow, fast = watts(layers, [50, 50], 100), watts(layers, [50, 50], 50)
    assert fast > slow
    assert fast * 50 < slow * 100


def test_an_idle_layer_draws_its_flip_flops_alone() -> None:
    none = np.zeros((1, len(RESOURCES)))
    only_ff = none.copy()
    only_ff[0, RESOURCES.index("ff")] = 1000
    everything = only_ff + 1000.0 * (np.array(RESOURCES) != "ff")
    assert watts(everything, [0], 100) == pytest.approx(watts(only_ff, [0], 100))
    assert watts(only_ff, [0], 100) - watts(none, [0], 100) == pytest.approx(3.3e-8 * 1000 * 100)


def test_without_logic_the_device_leaks_what_vivado_says() -> None:
    # report_power of routed designs: XC7Z020 0.113 W, XC7Z045 0.219 W, XCU50 2.335 W, XCZU7EV 0.694 W
    for family, luts, published in (
        ("7series", 53_200, 0.113),
        ("7series", 218_600, 0.219),
        ("ultrascale+", 870_016, 2.335),
        ("ultrascale+", 230_400, 0.694),
    ):
        empty = np.zeros((1, 3, len(RESOURCES)))
        expected, low, high = power_w(empty, np.array([1]), 1, 100.0, board(family, luts))
        assert expected == pytest.approx(published, rel=0.05)
        assert low < published < high


def rows(part: str) -> list[dict[str, str]]:
    lines = [x for x in TABLE.read_text().splitlines() if not x.startswith("#")]
    return [r for r in csv.DictReader(lines) if r["part"] == part]


def counts(row: dict[str, str]) -> np.ndarray:
    values = {r: float(row.get(r) or 0) for r in RESOURCES}
    values["ff"] = values["ff"] or values["lut"]  # the prototypes do not say
    return np.tile([values[r] for r in RESOURCES], (1, 3, 1))


@pytest.mark.parametrize("row", rows("xc7z045"), ids=lambda r: r["design"])
def test_published_prototypes_lie_in_the_band(row: dict[str, str]) -> None:
    expected, low, high = power_w(
        counts(row), np.array([1]), 1, float(row["clock_mhz"]), board("7series", 218_600)
    )
    published = float(row["active_w"])
    assert low <= published <= high
    assert 0.7 < expected / published < 1.5  # as docs/cost-models.md says


def test_differences_between_measured_bitstreams_are_explained_in_part() -> None:
    device = load_board("Ultra96-V2")  # an XCZU3EG, as the board that was measured

    def left(column: str, busy: dict[str, float]) -> tuple[float, float]:
        found = [r for r in rows("xczu3eg") if r["design"] in busy]
        measured = np.array([float(r[column]) for r in found])
        predicted = [
            power_w(counts(r), np.array([round(1e3 * busy[r["design"]])]), 1000, 100.0, device)[0]
            for r in found
        ]
        return float(measured.std()), float((measured - predicted).std())

    idle = left("idle_w", {r["design"]: 0.0 for r in rows("xczu3eg")})
    busy = left("active_w", {r["design"]: float(r["busy"]) for r in rows("xczu3eg") if r["busy"]})
    assert [round(1e3 * x) for x in (*idle, *busy)] == [42, 23, 85, 46]
