"""What docs/commands.md and docs/json.md say of the commands is what the commands are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dse import errors
from dse.cli import EPILOG, cli

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = (DOCS / "commands.md").read_text()


def test_every_command_is_documented_and_takes_json() -> None:
    table = COMMANDS.partition("## A tour")[0]
    named = set(re.findall(r"`dse ([a-z]+)", table))
    assert named == set(cli.commands)
    schemas = (DOCS / "json.md").read_text()
    for name, command in cli.commands.items():
        options = {o for p in command.params for o in p.opts}
        assert {"--json", "--dir", "--no-color"} <= options, name
        assert command.help, name
        assert f"`dse {name}" in schemas or name == "resume", name


def test_exit_codes_are_those_of_the_errors() -> None:
    said = {int(c) for c in re.findall(r"^\| (\d)\b", COMMANDS, re.MULTILINE)}
    codes = {e.exit_code for e in vars(errors).values() if isinstance(e, type)}
    assert said == codes | {0}
    assert said == {int(c) for c in re.findall(r"(?:^|  )(\d)  ", EPILOG, re.MULTILINE)}


def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSE_DIR", raising=False)
    block = COMMANDS.partition("```sh\n")[2].partition("```")[0]
    lines = [shlex.split(line) for line in block.splitlines()]
    assert len(lines) > 10
    for program, *args in lines:
        assert program == "dse"
        done = CliRunner().invoke(cli, args, catch_exceptions=False)
        assert done.exit_code == 0, (args, done.output)
    assert (tmp_path / "tour" / "hls").is_dir()
    assert "<html" in (tmp_path / "tour" / "report.html").read_text()


FOLDED = """\
version: 1
study: folded
model: digits-cnn
data: {name: noise, size: 8, classes: 10}
board: Pynq-Z1
clock: 100 MHz
space: {weight_bits: [1, 2], activation_bits: 2}
objectives: {latency: minimize, lut: minimize}
budget: {trials: 2}
report: off
"""


def test_the_foldings_of_the_documentation_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DSE_DIR", raising=False)
    (tmp_path / "study.yaml").write_text(FOLDED)
    (tmp_path / "project").mkdir()
    lines = [
        "dse run study.yaml --inline",
        "dse emit folded 0 --flow json -o project/design.json",
        *re.findall(r"^    (dse fold .*?) *#", (DOCS / "folding.md").read_text(), re.MULTILINE),
        *re.findall(r"^    (dse fold [^#]*)$", (DOCS / "folding.md").read_text(), re.MULTILINE),
    ]
    assert len(lines) == 2 + 7
    for line in lines:
        done = CliRunner().invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
        assert done.exit_code == 0, (line, done.output)


@pytest.mark.parametrize(
    "path", [*DOCS.glob("*.md"), DOCS.parent / "README.md"], ids=lambda p: p.name
)
def test_commands_in_the_documentation_exist(path: Path) -> None:
    """Names and options; what stands for something else (STUDY, DIR, ...) is not run."""
    text = path.read_text()
    found = re.findall(r"^(?:    |\$ )?(dse [a-z]+[^\n`|]*)$", text, re.MULTILINE)
    found += re.findall(r"`(dse [a-z]+[^`\n]*)`", text)
    for line in found:
        words = shlex.split(line.partition("  #")[0].replace("...", ""), comments=True)
        command = cli.commands.get(words[1])
        if command is None:  # prose: "dse has", "dse sets"
            assert not re.search(r" -", line), line
            continue
        known = {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
        for word in words[2:]:
            if word.startswith("--") and word != "--help":
                assert word.partition("=")[0] in known, line
