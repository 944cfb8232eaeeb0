"""`board: mine.yaml`: a board of one's own in a file beside the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dse.config.load import load_config
from dse.config.problems import StudyFileError
from dse.ir.hardware import Resources

BOARD = "name: mine\npart: xc7a100tcsg324-1\nlut: 63400\nff: 126800\ndsp: 240\nbram18: 270\n"


@pytest.fixture
def study(tmp_path: Path, quick_start: str) -> Path:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "mine.yaml").write_text(BOARD)
    path = tmp_path / "study.yaml"
    path.write_text(quick_start.replace("board: Pynq-Z1", "board: boards/mine.yaml"))
    return path


def test_a_board_of_ones_own(study: Path) -> None:
    board = load_config(study).board
    assert (board.name, board.part, board.family) == ("mine", "xc7a100tcsg324-1", "7series")
    assert board.resources == Resources(63400, 126800, 240, 270, 0)


def test_the_copy_in_the_study_stands_alone(study: Path, tmp_path: Path) -> None:
    config = load_config(study)
    copy = tmp_path / "elsewhere" / "study.yaml"
    copy.parent.mkdir()
    copy.write_text(config.text)
    (tmp_path / "boards" / "mine.yaml").unlink()
    assert load_config(copy).board == config.board


def test_set_names_a_file_or_goes_past_one_that_is_not_there(study: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(BOARD.replace("mine", "other"))
    assert load_config(study, ["board=other.yaml"]).board.name == "other"
    (tmp_path / "boards" / "mine.yaml").unlink()
    assert load_config(study, ["board=Pynq-Z2"]).board.name == "Pynq-Z2"


def test_mistakes_are_told_where_they_stand(study: Path, tmp_path: Path) -> None:
    def problems() -> list[Any]:
        with pytest.raises(StudyFileError) as caught:
            load_config(study)
        return [
            (p.slug, Path(p.span.source.label).name, p.span.line) for p in caught.value.problems
        ]

    mine = tmp_path / "boards" / "mine.yaml"
    mine.write_text(BOARD.replace("63400", "many"))
    assert [(file, line) for _, file, line in problems()] == [("mine.yaml", 3)]
    mine.unlink()
    assert [(slug, file) for slug, file, _ in problems()] == [("no-such-file", "study.yaml")]
