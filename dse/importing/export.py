"""From an integer network back to QONNX: codes as numbers, thresholds as MultiThreshold nodes.

A code stands for itself: the network takes integers of the input type, and its class scores are the sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dse.errors import UsageError
from dse.importing.onnx_file import DOMAINS, installed
from dse.ir.accelerator import Accelerator, MatrixParameters
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.dense import Dense
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.fused_add import FusedAdd
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.layers.thresholding import Thresholding

QONNX = DOMAINS[2]
OPSET, QONNX_VERSION, IR_VERSION = 13, 2, 8
SOURCE, TARGET = "input", "scores"


def to_qonnx(accelerator: Accelerator) -> bytes:
    """Return a QONNX file of an integer network.

    The input is (1, C, H, W) or (1, F). Importing the file with `input_scale: 1` gives the same scores.

    Raises:
        UsageError: a layer has no counterpart in QONNX; or `onnx` is not installed.
    """
    writer = _Writer(accelerator)
    for layer in accelerator.network.layers:
        writer.layer(layer)
    return writer.content()


class _Writer:
    """Nodes and constants so far."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.onnx = installed()
        self.accelerator = accelerator
        self.network = accelerator.network
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.tensors = {"input": SOURCE}  # of each layer's output
        self.maps = {"input": len(self.network.input_shape) == 3}  # whether that has four axes

    def layer(self, layer: Layer) -> None:
        """Write the nodes of a layer."""
        name = layer.name
        x = self.tensors[layer.inputs[0]]
        self.maps[name] = len(layer.output_shape) == 3
        if isinstance(layer, MatrixLayer):
            y = self.matrix(layer, x)
        elif isinstance(layer, MaxPool2d) and not isinstance(layer, AveragePool2d):
            y = self.node(
                "MaxPool", [x], name, kernel_shape=[layer.kernel] * 2, strides=[layer.step] * 2,
                pads=[layer.padding] * 4,
            )  # fmt: skip
        elif isinstance(layer, GlobalAveragePool):
            mean = self.node("GlobalAveragePool", [x], f"{name}_mean")
            flat = self.node("Flatten", [mean], f"{name}_flat", axis=1)
            y = self.node("Mul", [flat, self.number(f"{name}_pixels", layer.pixels)], name)
        elif isinstance(layer, Concat):
            y = self.node("Concat", [x, self.tensors[layer.inputs[1]]], name, axis=1)
        elif isinstance(layer, Add) and not isinstance(layer, FusedAdd):
            bits = layer.output_type(self.accelerator.input_type(name)).bits
            other = self.tensors[layer.inputs[1]]
            y = self.quant(self.node("Add", [x, other], f"{name}_sum"), name, bits, signed=False)
        else:
            msg = f"layer {name} ({type(layer).__name__}) has no counterpart in QONNX; emit the design as HLS"
            raise UsageError(msg)
        self.tensors[name] = y

    def matrix(self, layer: MatrixLayer, x: str) -> str:
        """Write a matrix layer, its weights and its thresholds."""
        name, p = layer.name, self.accelerator.parameters[layer.name]
        if p.spatial is not None:
            msg = f"layer {name} skips positions, which QONNX does not know; emit the design as HLS"
            raise UsageError(msg)
        if isinstance(layer, Thresholding):
            return self.thresholds(layer, x, p)
        if isinstance(layer, Conv2d | DepthwiseConv2d):
            y = self.convolution(layer, x, p)
        else:
            assert isinstance(layer, Dense)
            y = self.dense(layer, x, p)
        if p.thresholds is not None:
            return self.thresholds(layer, y, p)
        if p.bias is not None:
            y = self.node("Add", [y, self.constant(f"{name}_bias", p.bias)], f"{name}_biased")
        return y

    def convolution(self, layer: Conv2d | DepthwiseConv2d, x: str, p: MatrixParameters) -> str:
        """Write a convolution; QONNX pads with 0."""
        if layer.padding and self.accelerator.input_type(layer.name).min_code_value:
            msg = (
                f"layer {layer.name} pads with -1, QONNX with 0; raise activation_bits in front of it to 2, or"
                " emit the design as HLS"
            )
            raise UsageError(msg)
        k = layer.kernel
        weights = p.weights.reshape(layer.mh, k, k, -1).transpose(0, 3, 1, 2)
        factor = self.weights(layer.name, weights, p)
        groups = layer.mh if isinstance(layer, DepthwiseConv2d) else 1
        return self.node(
            "Conv", [x, factor], f"{layer.name}_sums", kernel_shape=[k, k], group=groups,
            strides=[layer.stride] * 2, pads=[layer.padding] * 4,
        )  # fmt: skip

    def dense(self, layer: Dense, x: str, p: MatrixParameters) -> str:
        """Write a fully connected layer; a map in front of it is flattened as (channel, h, w)."""
        weights = p.weights
        if self.maps[layer.inputs[0]]:
            x = self.node("Flatten", [x], f"{layer.name}_flat", axis=1)
            cube = weights.reshape(layer.mh, *layer.input_shape)
            weights = cube.transpose(0, 3, 1, 2).reshape(layer.mh, -1)
        factor = self.weights(layer.name, weights, p)
        return self.node("Gemm", [x, factor], f"{layer.name}_sums", transB=1)

    def weights(self, name: str, weights: Any, p: MatrixParameters) -> str:
        """Write weights and their quantiser; pruned weights are 0, which 1 bit lacks."""
        plain = self.constant(f"{name}_weights", weights)
        bits = p.weight_bits
        if bits == 1 and p.kept.all():
            one = self.number(f"{name}_one", 1)
            return self.node("BipolarQuant", [plain, one], f"{name}_quantised", domain=QONNX)
        narrow = bits == 1 or int(weights.min()) > -(2 ** (bits - 1))
        return self.quant(plain, f"{name}_quantised", max(bits, 2), signed=True, narrow=narrow)

    def quant(self, x: str, name: str, bits: int, *, signed: bool, narrow: bool = False) -> str:
        """Write a quantiser with the scale 1."""
        constants = [
            self.number(f"{name}_{what}", value)
            for what, value in (("scale", 1), ("zero", 0), ("bits", bits))
        ]
        return self.node(
            "Quant", [x, *constants], name, domain=QONNX, signed=int(signed), narrow=int(narrow),
            rounding_mode="ROUND",
        )  # fmt: skip

    def thresholds(self, layer: MatrixLayer, x: str, p: MatrixParameters) -> str:
        """Write thresholds: the code is how many of them a sum reaches, less what is below 0."""
        assert p.thresholds is not None
        assert p.output_bits is not None
        bipolar = p.output_bits == 1
        low = -(2 ** (p.output_bits - 1)) if layer.signed and not bipolar else 0
        kind = "INT" if layer.signed else "UINT"
        return self.node(
            "MultiThreshold",
            [x, self.constant(f"{layer.name}_thresholds", p.thresholds)],
            layer.name,
            domain=QONNX,
            out_dtype="BIPOLAR" if bipolar else f"{kind}{p.output_bits}",
            out_scale=2.0 if bipolar else 1.0,
            out_bias=-1.0 if bipolar else float(low),
            data_layout="NCHW" if self.maps[layer.name] else "NC",
        )

    def node(self, op: str, inputs: Sequence[str], name: str, domain: str = "", **more: Any) -> str:
        """Write a node; its output has its name."""
        made = self.onnx.helper.make_node(
            op, list(inputs), [name], name=name, domain=domain, **more
        )
        self.nodes.append(made)
        return name

    def constant(self, name: str, array: Any) -> str:
        """Write a constant; float32 holds every integer that occurs (below 2**24)."""
        floats = np.asarray(array, dtype=np.float32)
        if not np.array_equal(floats, np.asarray(array)):
            msg = f"{name} must hold integers of 24 bits or less to be written as float32"
            raise UsageError(msg)
        self.constants.append(self.onnx.numpy_helper.from_array(floats, name))
        return name

    def number(self, name: str, value: float) -> str:
        """Write a constant number."""
        return self.constant(name, np.asarray(value))

    def content(self) -> bytes:
        """Return the file."""
        helper, floats = self.onnx.helper, self.onnx.TensorProto.FLOAT
        last = self.tensors[self.network.layers[-1].name]
        self.node("Identity", [last], TARGET)
        shape = self.network.input_shape
        sizes = [1, shape[2], *shape[:2]] if len(shape) == 3 else [1, *shape]
        graph = helper.make_graph(
            self.nodes,
            self.network.name,
            [helper.make_tensor_value_info(SOURCE, floats, sizes)],
            [helper.make_tensor_value_info(TARGET, floats, [1, self.network.classes])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="dse",
            ir_version=IR_VERSION,
            opset_imports=[
                helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX, QONNX_VERSION)
            ],
        )  # fmt: skip
        content: bytes = model.SerializeToString()
        return content
