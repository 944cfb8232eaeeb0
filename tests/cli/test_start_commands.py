"""`dse init`, `dse schema`, `dse completion`: what they write is what the other commands read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from dse.cli import cli
from dse.cli.start import TEMPLATES
from dse.config.load import load_config
from dse.config.reference import markdown, rows
from dse.config.schema import study_schema
from dse.search.outlook import outlook

ROOT = Path(__file__).parents[2]


def invoke(*args: str) -> str:
    result = CliRunner().invoke(cli, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_valid_and_plan(template: str, tmp_path: Path) -> None:
    out = invoke("init", str(tmp_path / "new"), "--template", template)
    path = tmp_path / "new" / "study.yaml"
    assert f"dse run {path}" in out
    found = outlook(load_config(path))
    assert found.plan.space.knobs
    line, *_ = path.read_text().splitlines()
    schema = path.parent / line.rpartition("=")[2]
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text()))


def test_the_quick_start_is_that_of_the_repository(tmp_path: Path) -> None:
    invoke("init", str(tmp_path))
    _, _, *ours = (tmp_path / "study.yaml").read_text().splitlines()
    _, *theirs = (ROOT / "studies" / "quickstart.yaml").read_text().splitlines()
    assert ours == theirs


def test_the_complete_template_has_every_key_of_the_first_level(tmp_path: Path) -> None:
    invoke("init", str(tmp_path), "--template", "complete")
    found = yaml.safe_load((tmp_path / "study.yaml").read_text())
    assert set(study_schema()["properties"]) - set(found) == {"extends"}


def test_a_study_that_is_there_is_not_replaced(dse, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine\n")
    done = dse("init")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (tmp_path / "study.yaml").read_text() == "mine\n"
    assert dse("init", "--force", "--json").returncode == 0
    assert (tmp_path / "study.yaml").read_text() != "mine\n"


def test_the_smallest_template_runs(dse) -> None:
    dse("init", "--template", "smallest")
    fast = ("stages=[{pretrain: {epochs: 1}}, {finetune: {epochs: 1, images: 100}}, {final: {epochs: 1}}]",
            "budget.trials=2", "model={name: digits-cnn, width: 0.5}")  # fmt: skip
    done = dse("run", "study.yaml", "--inline", *(a for s in fast for a in ("--set", s)))
    assert done.returncode == 0, done.stderr
    assert "2 trials" in done.stdout


def test_schema_is_printed_as_such_and_as_a_document() -> None:
    plain = json.loads(invoke("schema"))
    assert plain == study_schema()
    document = json.loads(invoke("schema", "--json"))
    assert document == {"schema": "dse.schema/1", "study_file": plain}


def test_the_documentation_and_the_schema_have_the_same_keys() -> None:
    text = (ROOT / "docs" / "study-file.md").read_text()
    table = text.partition("## All keys")[2]
    listed = set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))
    found = {path for path, _ in rows(study_schema())}
    assert listed <= found
    for path in found - listed:  # knobs stand on three levels, and a new one may be told elsewhere
        assert re.search(rf"`{re.escape(path.rpartition('.')[2])}\b", text), path
    assert "required" in markdown(study_schema())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_parse(shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(invoke("completion", shell))
    assert "_DSE_COMPLETE" in script.read_text()
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed: its script is not parsed")
    subprocess.run([program, "-n", script], check=True)


def complete(words: str, folder: Path) -> list[str]:
    """Ask as a shell asks: the words so far, the last one unfinished."""
    code = "import sys; sys.argv = ['dse']; from dse.cli import main; main()"
    env = os.environ | {
        "_DSE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_completion_knows_commands_studies_boards_and_keys(tmp_path: Path) -> None:
    for name in ("alpha", "alto", "beta"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "study.json").write_text("{}")
    assert "compare" in complete("dse com", tmp_path)
    assert complete("dse inspect al", tmp_path) == ["alpha", "alto"]
    assert complete("dse boards Pynq-Z", tmp_path) == ["Pynq-Z1", "Pynq-Z2"]
    assert "budget.trials=" in complete("dse run study.yaml --set budget.t", tmp_path)
