"""A hundred broken study files through the whole command: one message, exit code 2, never a traceback."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from dse.cli import main, output
from dse.cli.start import TEMPLATES

FILES = 100
PIECES = (
    *("[", "]", "{", "}", ":", "- ", "'", "*x", "&a", "!!int", "<<: 1", "\t", "\x00", "  "),
    *("extends: study.yaml\n", "${NOPE}", "1e999", ".nan", "-1", "0x", "[[[", "null", "~", "é"),
    *("pe + simd <= 3", "9" * 400, "lut", "require: [x]", "balanced(+-1)", "%", "../..", "\u2028"),
)


def mutated(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    lines = [line for line in lines if not line.startswith("#")]
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(lines))
        at, piece = rng.randrange(len(lines[i]) + 1), rng.choice(PIECES)
        change = rng.randrange(5)
        if change == 0:
            lines[i] = lines[i][:at] + piece + lines[i][at:]
        elif change == 1:
            lines[i] = lines[i][:at] + lines[i][at + rng.randint(1, 9) :]
        elif change == 2:
            lines.insert(i, lines[rng.randrange(len(lines))])
        elif change == 3 and ":" in lines[i]:
            lines[i] = f"{lines[i].split(':')[0]}: {piece}\n"
        else:
            lines[i] = lines[i].replace("i", "ii", 1).replace("a", "e", 1)
    return "".join(lines)


def test_check_of_a_hundred_mutated_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(output.__file__).parent / "templates"
    texts = [(folder / f"{name}.yaml").read_text() for name in TEMPLATES]
    rng = random.Random(6)
    codes = []
    for number in range(FILES):
        Path("study.yaml").write_text(mutated(texts[number % len(texts)], rng), encoding="utf-8")
        args = ["dse", "check", "study.yaml", *(["--json"] if number % 2 else [])]
        monkeypatch.setattr("sys.argv", args)
        monkeypatch.setattr(output, "_printed", [])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code
        out, err = capsys.readouterr()
        said = f"file {number}: {err}\n{Path('study.yaml').read_text()}"
        assert code in (0, 2), said
        assert "Traceback" not in err, said
        assert "bug" not in err, said
        if code and number % 2:
            document = json.loads(out)
            assert document["schema"] == "dse.error/1"
            assert document["error"], said
        elif code:
            assert out == "", said
            assert re.search(r"error(\[[a-z-]+\])?: ", err), said
        codes.append(code)
    assert {0, 2} == set(codes)
    assert not Path("runs").exists()


def test_a_secret_that_a_variable_holds_is_never_shown_or_written(
    dse, small_study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSE_TEST_PW", "hunter2")
    url = "postgresql://dse:${DSE_TEST_PW}@127.0.0.1:9/none"
    (tmp_path / "base.yaml").write_text(small_study + f"storage: {url}\n")
    (tmp_path / "small.yaml").write_text("extends: base.yaml\n")
    for args in (("small.yaml",), ("base.yaml", "--storage", url, "--json")):
        done = dse("run", *args, "--inline")
        assert done.returncode == 5, done.stderr
        assert "127.0.0.1" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
