"""From an ONNX or QONNX file to a graph. Nothing of the file is executed, and no other file is opened."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dse.errors import UsageError
from dse.importing.graph import Graph, Node, printable

DOMAINS = ("", "ai.onnx", "qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
LARGEST = 2**31  # bytes of a file: what protobuf can hold
MOST_ELEMENTS = 2**28  # numbers of a constant


def read(path: Path) -> Graph:
    """Read a file.

    Raises:
        UsageError: it is missing, damaged, keeps weights in other files, or is no network with one input
            and one output; or `onnx` is not installed.
    """
    try:
        if path.stat().st_size >= LARGEST:
            msg = f"{path} must be smaller than 2 GiB, as ONNX files are"
            raise UsageError(msg)
        content = path.read_bytes()
    except OSError as error:
        msg = f"the model {path} cannot be read ({error.strerror}); give a path to an .onnx file"
        raise UsageError(msg) from None
    return parse(content, printable(path.stem), printable(str(path)))


def parse(content: bytes, name: str, where: str) -> Graph:
    """Read the content of a file.

    Args:
        content: bytes of an ONNX `ModelProto`.
        name: of the graph.
        where: how messages call it.

    Raises:
        UsageError: as `read`.
    """
    onnx = installed()
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
        graph = model.graph
        constants = {_text(t.name): _array(t, where) for t in graph.initializer}
        nodes = tuple(_node(n, where) for n in graph.node)
        free = [i for i in graph.input if _text(i.name) not in constants]
    except (DecodeError, UnicodeDecodeError) as error:
        msg = f"{where} must be an ONNX file, but it is damaged or something else ({_short(error)})"
        raise UsageError(msg) from None
    if not nodes or len(free) != 1 or len(graph.output) != 1:
        msg = (
            f"{where} must hold a network with one input and one output, got {len(nodes)} nodes,"
            f" {len(free)} inputs and {len(graph.output)} outputs; export the model alone"
        )
        raise UsageError(msg)
    source = _text(free[0].name)
    ordered = _ordered(nodes, constants, source, where)
    shape = _shape(free[0], where)
    return Graph(name, ordered, constants, source, shape, _text(graph.output[0].name))


def installed() -> Any:
    """Return the package `onnx`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import onnx
    except ImportError:
        msg = "models from ONNX files and torch modules need onnx: pip install 'fpga-dse[onnx]'"
        raise UsageError(msg) from None
    return onnx


def _node(proto: Any, where: str) -> Node:
    name, op, domain = (_text(t) for t in (proto.name, proto.op_type, proto.domain))
    shown = f"{where}: node {printable(op)} {printable(name)!r}"
    if domain not in DOMAINS:
        msg = (
            f"{shown} must be of ONNX or QONNX, it is of domain {printable(domain)!r}; export the model"
            " as QONNX"
        )
        raise UsageError(msg)
    if not proto.output:
        msg = f"{shown} has no output; the file is damaged"
        raise UsageError(msg)
    attributes = {_text(a.name): _attribute(a, where) for a in proto.attribute}
    return Node(name, op, tuple(_text(i) for i in proto.input), _text(proto.output[0]), attributes)


def _text(value: str | bytes) -> str:
    """Return a name; protobuf gives the bytes of one that is no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _attribute(proto: Any, where: str) -> Any:
    kinds = proto.AttributeType
    if proto.type == kinds.Value("FLOAT"):
        return float(proto.f)
    if proto.type == kinds.Value("INT"):
        return int(proto.i)
    if proto.type == kinds.Value("STRING"):
        return proto.s.decode("utf-8", "replace")
    if proto.type == kinds.Value("INTS"):
        return tuple(int(i) for i in proto.ints)
    if proto.type == kinds.Value("FLOATS"):
        return tuple(float(f) for f in proto.floats)
    if proto.type == kinds.Value("TENSOR"):
        return _array(proto.t, where)
    return None  # graphs, types and lists of them belong to operations that are refused anyway


def _array(tensor: Any, where: str) -> npt.NDArray[Any]:
    """Return a constant, floating point in float64.

    Whole numbers keep their type: it says between which codes a QuantizeLinear saturates.

    Raises:
        UsageError: it is in another file, damaged, or no array of finite numbers.
    """
    named = f"{where}: the constant {printable(_text(tensor.name))!r}"
    if tensor.data_location or tensor.external_data:
        msg = (
            f"{named} is kept in another file, which is not opened; save the model as one file"
            " (onnx.save_model with save_as_external_data=False)"
        )
        raise UsageError(msg)
    if any(d < 0 for d in tensor.dims) or math.prod(tensor.dims) > MOST_ELEMENTS:
        msg = f"{named} must have a shape of reasonable size, got {list(tensor.dims)}"
        raise UsageError(msg)
    try:
        array = installed().numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        msg = f"{named} is damaged ({_short(error)}); export the model again"
        raise UsageError(msg) from None
    if array.dtype.kind not in "iubf":
        msg = f"{named} must hold numbers, got {array.dtype}"
        raise UsageError(msg)
    if array.dtype.kind in "iu":
        return np.asarray(array)
    if array.dtype.kind == "b":
        return np.asarray(array, dtype=np.int64)
    with np.errstate(invalid="ignore"):  # a NaN that signals is refused below, like any other
        floats = np.asarray(array, dtype=np.float64)
    if not np.isfinite(floats).all():
        msg = f"{named} must hold finite numbers, got NaN or infinity; train the model again"
        raise UsageError(msg)
    return floats


def _shape(value: Any, where: str) -> tuple[int, ...]:
    """Return the shape of the input; a free batch axis becomes 1."""
    dims = value.type.tensor_type.shape.dim
    shape = [d.dim_value if d.HasField("dim_value") else 0 for d in dims]
    if shape and shape[0] <= 0:
        shape[0] = 1
    if len(shape) not in (2, 4) or min(shape) < 1 or math.prod(shape) > MOST_ELEMENTS:
        shown = [
            d.dim_value if d.HasField("dim_value") else printable(_text(d.dim_param)) for d in dims
        ]
        msg = (
            f"{where}: the input {printable(_text(value.name))!r} must have a static shape (batch, channels,"
            f" height, width) or (batch, features), got {shown}; export with fixed sizes"
        )
        raise UsageError(msg)
    return tuple(shape)


def _ordered(
    nodes: tuple[Node, ...], constants: dict[str, npt.NDArray[Any]], source: str, where: str
) -> tuple[Node, ...]:
    """Return the nodes in an order in which every input is there when it is needed.

    Raises:
        UsageError: an input comes from nowhere, there is a cycle, or a tensor has two sources.
    """
    known = {*constants, source, ""}
    if len({n.output for n in nodes}) != len(nodes) or any(n.output in known for n in nodes):
        msg = f"{where}: every tensor must have one source; the file is damaged"
        raise UsageError(msg)
    found: list[Node] = []
    waiting = list(nodes)
    while waiting:
        ready = [n for n in waiting if known.issuperset(n.inputs)]
        if not ready:
            node = waiting[0]
            missing = next(i for i in node.inputs if i not in known)
            msg = (
                f"{where}: input {printable(missing)!r} of node {node.shown} must come from a node before"
                " it; the file is damaged"
            )
            raise UsageError(msg)
        found += ready
        done = {n.output for n in ready}
        known |= done
        waiting = [n for n in waiting if n.output not in done]
    return tuple(found)


def _short(error: Exception) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__
