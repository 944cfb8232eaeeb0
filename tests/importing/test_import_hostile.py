"""Nothing that a model says reaches a path, a source, a script or a page, and no Python of a study runs unasked."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dse.cli import main, output
from dse.errors import UsageError
from dse.importing.onnx_file import read

NAMES = (
    "../../leaked_out",
    "/etc/passwd",
    '"; rm -rf leaked_out; "',
    "$(touch leaked_out)",
    "`touch leaked_out`",
    "[exec touch leaked_out]",
    "</script><script>leaked_out()</script>",
    "*/ #error leaked_out /*",
    "\n`include \"leaked_out\"\nendmodule",
    "{{ leaked_out }}",
    "leaked_out" * 30,  # 300 characters
    "leakéd \u202e\u0000\x1b[31m \U0001f600",
    "",
    "conv1",  # a name of ours
)  # fmt: skip
MARKS = ("leaked_out", "leakéd", "passwd", "\u202e", "\U0001f600")
STUDY = """version: 1
study: hostile
model: {model}
data: digits
board: Pynq-Z1
clock: 100 MHz
space: {{fold: balanced}}
objectives: {{lut: minimize, throughput: maximize}}
budget: {{trials: 2}}
"""


@pytest.fixture(scope="module")
def sound(brevitas: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small quantised network for the digits."""
    import torch
    from brevitas.nn import QuantConv2d, QuantLinear, QuantReLU
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(
        QuantConv2d(1, 4, 3, stride=2, bias=False, weight_bit_width=2),
        nn.BatchNorm2d(4),
        QuantReLU(bit_width=2),
        nn.Flatten(),
        QuantLinear(36, 10, bias=False, weight_bit_width=2),
    ).eval()
    path = tmp_path_factory.mktemp("sound") / "m.onnx"
    return bytes(brevitas.qonnx(module, (1, 1, 8, 8), path).read_bytes())


def renamed(content: bytes) -> bytes:
    """Give every node, tensor and text of a file one of the names, tensors with a number behind it."""
    import onnx

    model = onnx.load_from_string(content)
    graph, tensors = model.graph, {}
    for node in graph.node:
        for part in (node.input, node.output):
            for i, name in enumerate(part):
                if name:
                    tensors.setdefault(name, f"{NAMES[len(tensors) % len(NAMES)]}#{len(tensors)}")
                    part[i] = tensors[name]
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = tensors.get(value.name, value.name)
    for i, node in enumerate(graph.node):
        node.name = node.doc_string = NAMES[i % len(NAMES)]
    graph.name = model.producer_name = model.doc_string = NAMES[6]
    model.metadata_props.add(key="model", value="net:net")
    return bytes(model.SerializeToString())


def dse(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    """Run a command, and return its exit code."""
    monkeypatch.setattr("sys.argv", ["dse", *args])
    monkeypatch.setattr(output, "_printed", [])
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_names_of_a_model_reach_nothing_that_is_written(
    sound: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "at" / "work"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    Path("model.onnx").write_bytes(renamed(sound))
    Path("study.yaml").write_text(STUDY.format(model="model.onnx"), encoding="utf-8")
    for command in (
        "check study.yaml",
        "run study.yaml --inline",
        "inspect hostile 0",
        "report hostile",
        "export hostile -o trials.csv",
        "emit hostile --pick 0 --images 2 -o hls",
        "emit hostile --pick 0 --images 2 --flow rtl -o rtl",
        "qonnx hostile --pick 0 -o back.onnx",
        "fold model.onnx --board Pynq-Z1 --input-bits 5",
        "fold model.onnx --board Pynq-Z1 --input-bits 5 --json",
    ):
        assert dse(monkeypatch, *command.split()) == 0, command
    shown = capfd.readouterr()
    assert not [m for m in MARKS if m in shown.out + shown.err]
    assert [p.name for p in tmp_path.rglob("*") if any(m in p.name for m in MARKS)] == []
    written = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "model.onnx"]
    assert {"top.cpp", "Makefile", "report.html", "design.json"} <= {p.name for p in written}
    assert {".v", ".tcl", ".hpp", ".json", ".csv"} <= {p.suffix for p in written}
    for path in written:
        content = path.read_bytes()
        assert not [m for m in MARKS if m.encode() in content], path


def test_messages_show_names_in_one_plain_line(sound: bytes, tmp_path: Path) -> None:
    """What is refused is called by its name, without what a terminal would obey, and not at length."""
    import onnx

    for name in NAMES:
        model = onnx.load_from_string(sound)
        node = model.graph.node[-1]
        node.name, node.op_type = name, "LSTM" + name
        path = tmp_path / "m.onnx"
        path.write_bytes(model.SerializeToString())
        from dse.importing.imported import imported
        from dse.ir.numbers import IntType

        with pytest.raises(UsageError) as caught:
            imported(read(path), IntType(5, signed=False), {})
        message = str(caught.value)
        assert message.isprintable()
        assert len(message) < 700
        assert name[:20].isprintable() <= (name[:20] in message)


def test_weights_of_another_file_are_not_opened(
    sound: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnx

    (tmp_path / "secret.bin").write_bytes(np.ones(10**4, np.float32).tobytes())
    inside = tmp_path / "inside"
    inside.mkdir()
    opened: list[str] = []
    plain = builtins.open

    def watched(file: Any, *args: Any, **more: Any) -> Any:
        opened.append(str(file))
        return plain(file, *args, **more)

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(io, "open", watched)
    for at in (
        "../secret.bin",
        str(tmp_path / "secret.bin"),
        "./x/../../secret.bin",
        "shards.bin",
    ):
        model = onnx.load_from_string(sound)
        tensor = next(t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=at)
        path = inside / "m.onnx"
        path.write_bytes(model.SerializeToString())
        with pytest.raises(UsageError, match="is kept in another file, which is not opened"):
            read(path)
    assert not [name for name in opened if "secret" in name or "shards" in name]


def test_a_function_is_called_where_a_study_file_is_run_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    module = (
        "import torch\nfrom torch import nn\ndef net():\n    from pathlib import Path\n    Path('ran').write_text('x')\n"
        "    torch.manual_seed(0)\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    Path("hostile_net.py").write_text(module, encoding="utf-8")
    text = STUDY.format(model="hostile_net:net") + "stages: [{finetune: {epochs: 1}}]\n"
    Path("study.yaml").write_text(text.replace("digits", "{name: digits, limit: {train: 64}}"))
    assert dse(monkeypatch, "run", "study.yaml", "--inline") == 0
    assert Path("ran").is_file()
    assert Path("runs/hostile/model.onnx").is_file()
    Path("ran").unlink()
    from dse.importing import imported

    imported._read.cache_clear()
    for command in (
        "status hostile",
        "inspect hostile 0",
        "report hostile",
        "export hostile -o trials.csv",
        "emit hostile --pick 0 --images 2 -o hls",
        "qonnx hostile --pick 0 -o back.onnx",
        "resume hostile --inline",
    ):
        assert dse(monkeypatch, *command.split()) == 0, command
        assert not Path("ran").exists(), command
    assert dse(monkeypatch, "fold", "hostile_net:net", "--board", "Pynq-Z1") == 2
    assert not Path("ran").exists()
    assert (
        dse(monkeypatch, "run", "study.yaml", "--inline") == 0
    )  # the same study, from a relative path
    assert dse(monkeypatch, "check", "study.yaml") == 0
    capfd.readouterr()
    # a study that does not keep its model is not a reason to call what it names
    Path("runs/hostile/model.onnx").unlink()
    Path("ran").unlink(missing_ok=True)
    assert dse(monkeypatch, "report", "hostile", "--json") == 2
    said = json.loads(capfd.readouterr().out)
    assert "must hold what hostile_net:net returned" in json.dumps(said)
    assert not Path("ran").exists()
