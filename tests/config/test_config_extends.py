"""`extends`: one study file on top of another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dse.config.complaints import Complaints
from dse.config.load import load_config
from dse.config.merge import written
from dse.config.parse import parse
from dse.config.problems import StudyFileError, problem_at
from dse.config.source import Source
from dse.config.tree import Items, Map, Node
from dse.errors import UsageError

STUDIES = Path(__file__).parents[2] / "studies"


def plain(node: Node) -> object:
    if isinstance(node, Map):
        return {e.key.text: plain(e.value) for e in node.entries}
    if isinstance(node, Items):
        return [plain(i) for i in node.items]
    return node.value


def tree(text: str) -> Node:
    found = Complaints()
    root = parse(Source.of("s", text), text, found)
    assert root is not None
    assert not found, [p.render() for p in found.sorted()]
    return root


@pytest.fixture
def base(tmp_path: Path, quick_start: str) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(quick_start)
    return path


def test_maps_are_merged_and_lists_replaced(base: Path) -> None:
    top = base.with_name("top.yaml")
    top.write_text(
        "extends: base.yaml\nstudy: other\nspace: {weight_bits: [1, 2]}\n"
        "constraints: [lut <= 50 %]\nbudget: {trials: 9}\n"
    )
    config, old = load_config(top), load_config(base)
    assert config.study == "other"
    assert config.space.defaults.weight_bits == (1, 2)
    assert config.space.defaults.activation_bits == old.space.defaults.activation_bits
    assert [c.text for c in config.constraints] == ["lut <= 50 %"]
    assert (config.budget.trials, config.budget.time_s) == (9, 900.0)
    assert config.objectives == old.objectives


def test_a_chain_of_folders_and_an_override_on_top(base: Path) -> None:
    folder = base.parent / "sub"
    folder.mkdir()
    (folder / "middle.yaml").write_text("extends: ../base.yaml\nseed: 3\nbudget: {trials: 7}\n")
    (folder / "top.yaml").write_text("extends: middle.yaml\nbudget: {patience: 2}\n")
    config = load_config(folder / "top.yaml", ["budget.time=1 h"])
    assert (config.seed, config.study) == (3, "digits-pynq")
    budget = config.budget
    assert (budget.trials, budget.patience, budget.time_s) == (7, 2, 3600.0)


def test_what_is_kept_of_a_study_stands_alone(base: Path, tmp_path: Path) -> None:
    top = base.with_name("top.yaml")
    top.write_text("extends: base.yaml\nstudy: other\ndescription: '1:30'\n")
    config = load_config(top)
    copy = tmp_path / "elsewhere.yaml"
    copy.write_text(config.text)
    again = load_config(copy)
    assert "extends" not in again.text.replace("the files that it extends", "")
    for name in ("study", "description", "model", "space", "objectives", "budget"):
        assert getattr(again, name) == getattr(config, name), name
    rules = [[(c.metric, c.op, c.limit, c.text) for c in x.constraints] for x in (again, config)]
    assert rules[0] == rules[1]


def test_messages_name_the_file_a_value_stands_in(base: Path) -> None:
    base.write_text(base.read_text().replace("trials: 200", "trials: 0"))
    top = base.with_name("top.yaml")
    top.write_text("extends: base.yaml\nclock: fast\n")
    with pytest.raises(StudyFileError) as caught:
        load_config(top)
    heads = [line for line in str(caught.value).splitlines() if "error[" in line]
    assert {Path(h.split(":")[0]).name for h in heads} == {"base.yaml", "top.yaml"}
    assert any("base.yaml:29:11: error[out-of-range]" in h for h in heads)


def test_late_messages_too(base: Path) -> None:
    top = base.with_name("top.yaml")
    top.write_text("extends: base.yaml\nstudy: other\n")
    error = str(problem_at(load_config(top), "constraints[1]", "slug", "wrong"))
    assert "base.yaml:24:5: error[slug]: wrong" in error


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_cycles_are_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    for name, below in zip(names, (*names[1:], names[0]), strict=True):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {below}.yaml\nseed: 1\n")
    with pytest.raises(StudyFileError, match=r"error\[cycle\]: a study file cannot extend itself"):
        load_config(tmp_path / "a.yaml")


@pytest.mark.parametrize("value", ["missing.yaml", "[a]", "", ".", "'a\\0b'"])
def test_what_cannot_be_extended(value: str, tmp_path: Path, quick_start: str) -> None:
    (tmp_path / "s.yaml").write_text(f"extends: {value}\n{quick_start}")
    with pytest.raises(UsageError, match=r"extends|cannot be read"):
        load_config(tmp_path / "s.yaml")


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda p: p.name)
def test_a_written_tree_is_the_same_tree(path: Path) -> None:
    root = tree(path.read_text())
    assert plain(tree(written(root))) == plain(root)


@pytest.mark.parametrize(
    "value",
    ["'1:30'", "'null'", "''", "'a: b'", "'#x'", "\"tab\\t\"", "'- a'", "é", "'*x'", "~", "1e3",
     "0x10", "[[1, 2], [3]]", "{}", "[]", "[{a: 1, b: [x]}, {c: {}}]", "[a, '', ~]", "'no'", "'2'"],
)  # fmt: skip
def test_values_that_yaml_would_take_for_others(value: str) -> None:
    root = tree(f"key: {value}\nother: {{deep: {value}}}\nitems:\n  - first: {value}\n    x: 1\n")
    assert plain(tree(written(root))) == plain(root)


def test_variables_stay_as_they_are_written(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "DSE_TEST_SECRET", "hunter2")
    top = base.with_name("top.yaml")
    top.write_text(
        "extends: base.yaml\nstorage: 'postgresql://dse:${DSE_TEST_SECRET}@db.lab/dse'\n"
    )
    config = load_config(top)
    assert "hunter2" in config.storage
    assert "hunter2" not in config.text
