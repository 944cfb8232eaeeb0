"""What every file in hw_templates/boards/ promises."""

from __future__ import annotations

import re

import pytest

from dse.errors import UsageError
from dse.ir.hardware import RESOURCES
from hw_templates import _boards, folder
from hw_templates._boards import FAMILIES, board_names, family_of, load_board


def test_the_boards_there_are() -> None:
    wanted = [
        "Pynq-Z1",
        "Pynq-Z2",
        "Ultra96-V2",
        "ZCU102",
        "ZCU104",
        "KV260",
        "U250",
        "U280",
        "U55C",
    ]
    assert set(wanted) <= set(board_names())


@pytest.mark.parametrize("name", board_names())
def test_board(name) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.family in FAMILIES
    assert family_of(board.part) == board.family
    assert re.fullmatch(r"xc[a-z0-9]+(-[a-z]{4}\d+)?-[0-9A-Za-z-]+", board.part)
    for resource in RESOURCES:
        assert isinstance(getattr(board.resources, resource), int)
        assert 0 < board.usable_share[resource] <= 1
    assert board.resources.ff == 2 * board.resources.lut  # both families: two flip-flops per LUT
    assert min(board.resources.lut, board.resources.dsp, board.resources.bram18) > 0
    assert board.resources.bram18 % 2 == 0  # blocks of 36 Kb, each two of 18 Kb
    assert 10 <= board.max_clock_mhz <= 1000
    assert board.source


@pytest.mark.parametrize("name", board_names())
def test_any_case(name) -> None:
    assert load_board(name.upper()) == load_board(name.lower()) == load_board(name)


def test_published_counts() -> None:
    found = {n: load_board(n).resources for n in ("Pynq-Z1", "ZCU104", "U280")}
    counts = {n: (r.lut, r.bram18, r.uram, r.dsp) for n, r in found.items()}
    assert counts == {
        "Pynq-Z1": (53_200, 280, 0, 220),
        "ZCU104": (230_400, 624, 96, 1_728),
        "U280": (1_303_680, 4_032, 960, 9_024),
    }


@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("xc7z020clg400-1", "7series"),
        ("XC7K325T-FFG900-2", "7series"),
        ("xcku5p-ffvb676-2-e", "ultrascale+"),
        ("xcvu9p-flgb2104-2-e", "ultrascale+"),
        ("xcku040-ffva1156-2-e", None),  # UltraScale, without the plus
        ("xcvc1902-vsva2197-2MP-e-S", None),
        ("5CSEBA6U23I7", None),
    ],
)
def test_family_of_a_part(part, family) -> None:
    assert family_of(part) == family


def test_unknown_board() -> None:
    with pytest.raises(UsageError, match=r"there is no board 'Pynq-Z3'\. Did you mean 'Pynq-Z2'\?"):
        load_board("Pynq-Z3")


def test_incomplete_board_file(tmp_path, monkeypatch) -> None:
    text = (folder("boards") / "Pynq-Z1.yaml").read_text()
    (tmp_path / "Mine.yaml").write_text(text.replace("part:", "prat:"))
    monkeypatch.setattr(_boards, "folder", lambda _: tmp_path)
    with pytest.raises(UsageError, match=r"Mine\.yaml needs part, .*'part'"):
        load_board("mine")
