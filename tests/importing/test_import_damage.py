"""Damaged and hostile files end in one clear error, never in a traceback."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dse.errors import UsageError
from dse.importing.imported import imported
from dse.importing.onnx_file import parse
from dse.ir.numbers import IntType

PIXELS = IntType(8, signed=False)
COUNT = 100


@pytest.fixture(scope="module")
def sound(brevitas, tmp_path_factory) -> bytes:
    """A small QONNX file with every kind of node that Brevitas writes."""
    path = tmp_path_factory.mktemp("sound") / "m.onnx"
    return brevitas.qonnx(brevitas.mobilenet(), (1, 3, 32, 32), path).read_bytes()


def edited(content: bytes, rng: random.Random) -> bytes:
    """Change one thing that a file may get wrong and still be ONNX."""
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(content)
    graph = model.graph
    node = rng.choice(graph.node)
    tensor = rng.choice(graph.initializer)
    kind = rng.randrange(14)
    if kind == 0:
        graph.node.remove(node)
    elif kind == 1:
        node.op_type = rng.choice(("Conv", "Gemm", "Quant", "LSTM", "Relu", "MaxPool", "If", ""))
    elif kind == 2 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(("", "nowhere", node.output[0]))
    elif kind == 3 and node.input:
        del node.input[rng.randrange(len(node.input)) :]
    elif kind == 4 and node.attribute:
        del node.attribute[rng.randrange(len(node.attribute))]
    elif kind == 5 and node.attribute:
        a = rng.choice(node.attribute)
        a.CopyFrom(onnx.helper.make_attribute(a.name, rng.choice((-1, 0, "x", [3, 0], 1.5, [7]))))
    elif kind == 6:
        del tensor.dims[:]
    elif kind == 7:
        tensor.dims.append(rng.choice((0, 3, -1, 2**40)))
    elif kind == 8:
        array = onnx.numpy_helper.to_array(tensor)
        wrong = np.full_like(
            array, rng.choice((np.nan, np.inf, -1, 0, 1e30)) if array.dtype.kind == "f" else -7
        )
        tensor.CopyFrom(onnx.numpy_helper.from_array(wrong, tensor.name))
    elif kind == 9:
        tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2]
    elif kind == 10:
        tensor.data_location = 1
        tensor.external_data.add(key="location", value="../../etc/passwd")
    elif kind == 11:
        graph.input[0].type.tensor_type.shape.dim[rng.randrange(4)].dim_param = "N\n\x1b[31m"
    elif kind == 12:
        graph.output[0].name = rng.choice(("", "nowhere", node.output[0]))
    else:
        node.domain = "evil.\x00domain"
        node.name = "\x1b[31m</script><script>" + "x" * 500
    return model.SerializeToString()


def bent(content: bytes, rng: random.Random) -> bytes:
    """Cut a file short, or change some of its bytes."""
    if rng.random() < 0.3:
        return content[: rng.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(rng.choice((1, 3, 30))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def refusal(content: bytes) -> UsageError | None:
    """What import says; any other error is a traceback, and the test fails."""
    try:
        imported(parse(content, "m", "m.onnx"), PIXELS, {})
    except UsageError as error:
        return error
    return None


def test_mutated_files(sound) -> None:
    rng = random.Random(7)
    files = ((edited if i % 2 else bent)(sound, rng) for i in range(COUNT))
    refused = [error for error in map(refusal, files) if error is not None]
    assert len(refused) > COUNT // 2  # with another weight it is a sound network, too
    for error in refused:
        assert error.exit_code == 2
        assert str(error)
        assert str(error).isprintable()
