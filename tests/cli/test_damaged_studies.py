"""A hundred damaged study folders through the whole command: one message, a documented code, nothing lost."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dse.cli import main, output

STUDIES, RUNS = 88, 12  # together a hundred
FILES = (
    "journal.log",
    "study.json",
    "study.yaml",
    "driver.json",
    "finals.jsonl",
    "milestones.jsonl",
)
LOOKS = (("status",), ("inspect",), ("report",), ("inspect", "1"), ("status", "--json"))
PIECES = (b"{", b"null", b"[]", b"-1", b"1e999", b'"', b"\n", b"\x00", b"\xff", b"9" * 30, b"..")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small_study: str) -> Path:
    """A finished study of a few trials; the folder that holds it and its file."""
    home = tmp_path_factory.mktemp("whole")
    (home / "small.yaml").write_text(small_study)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        argv = ["dse", "run", "small.yaml", "--inline", "--quiet", "--set", "budget.trials=5"]
        patch.setattr("sys.argv", argv)
        patch.setattr(output, "_printed", [])
        main()
    return home


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Run a command in this process, as a user would."""
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["dse", *args])
        monkeypatch.setattr(output, "_printed", [])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def damage(folder: Path, rng: random.Random) -> str:
    """Damage one or two files of a study; return what was done."""
    done = []
    for name in rng.sample(FILES, rng.choice((1, 1, 1, 2))):
        path = folder / name
        data = path.read_bytes()
        how = rng.choice(
            ("torn", "truncated", "flipped", "missing", "empty", "line", "piece", "value")
        )
        at = rng.randrange(len(data))
        if how == "torn":
            data = data[: data.rfind(b"\n", 0, at) + 1 + rng.randint(1, 60)]
        elif how == "truncated":
            data = data[:at]
        elif how == "flipped":
            flipped = bytearray(data)
            for _ in range(rng.choice((1, 1, 5))):
                flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            data = bytes(flipped)
        elif how == "line":
            lines = data.splitlines(keepends=True)
            lines.pop(rng.randrange(len(lines)))
            data = b"".join(lines)
        elif how == "piece":
            data = data[:at] + rng.choice(PIECES) + data[at:]
        elif how == "value":  # a value of another type behind a colon
            spots = [m.end() for m in re.finditer(rb'":', data)] or [at]
            spot = rng.choice(spots)
            data = data[:spot] + rng.choice((b" null,", b" [],", b' "x",', b" -7,")) + data[spot:]
        if how == "missing":
            path.unlink()
        else:
            path.write_bytes(b"" if how == "empty" else data)
        done.append(f"{name} {how}")
    return ", ".join(done)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a study but those that commands may write."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in ("report.html", "driver.lock")
    }


def check_message(code: int, out: str, err: str, said: str, *, as_json: bool) -> None:
    assert code in (0, 2, 3, 5, 6), said
    assert "Traceback" not in out + err, said
    assert " bug" not in err, said
    if code in (2, 5, 6):
        # a study file names all its problems at once; everything else is one sentence
        found = len(re.findall(r"^(?:\S+: )?error", err, re.MULTILINE))
        assert found == 1 or (found and "study.yaml:" in err), said
        if as_json:
            assert json.loads(out)["schema"] == "dse.error/1", said
        else:
            assert out == "", said


@pytest.mark.parametrize("part", range(4))
def test_looking_at_a_damaged_study_is_safe(
    whole: Path, command: Command, tmp_path: Path, part: int
) -> None:
    folder = tmp_path / "runs" / "small"
    for number in range(part, STUDIES, 4):
        rng = random.Random(number)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole / "runs" / "small", folder)
        what = damage(folder, rng)
        before = contents(folder)
        look = LOOKS[number % len(LOOKS)]
        code, out, err = command(look[0], "small", *look[1:])
        said = f"{number}: {what}; dse {' '.join(look)} -> {code}\n{out[-500:]}\n{err}"
        check_message(code, out, err, said, as_json="--json" in look)
        assert contents(folder) == before, said


def test_a_damaged_study_goes_on_or_says_why_not(
    whole: Path, command: Command, tmp_path: Path
) -> None:
    """`dse run` on what a crash or a bad disk leaves: no finished trial is gone afterwards."""
    shutil.copy(whole / "small.yaml", tmp_path)
    folder = tmp_path / "runs" / "small"
    codes = []
    for number in range(RUNS):
        rng = random.Random(1000 + number)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole / "runs" / "small", folder)
        what = damage(folder, rng)
        journal = folder / "journal.log"
        before = journal.read_bytes() if journal.exists() else b""
        code, out, err = command(
            "run", "small.yaml", "--inline", "--quiet", "--json", "--set", "budget.trials=5"
        )
        said = f"{number}: {what}; dse run -> {code}\n{out[-500:]}\n{err}"
        check_message(code, out, err, said, as_json=True)
        after = journal.read_bytes() if journal.exists() else b""
        torn = folder / "journal.torn"
        kept = before[: before.rfind(b"\n") + 1]
        assert after.startswith(kept), said
        assert kept == before or torn.read_bytes() == before[len(kept) :] or code, said
        codes.append(code)
    assert {0, 2} <= set(codes)
