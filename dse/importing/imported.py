"""A network from outside, ready for a study: layers, integers where it has them, weights to start from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from dse.config.values import INPUT_LINE, Knobs, ModelConfig, Space, Stages
from dse.errors import UsageError
from dse.importing import onnx_file
from dse.importing.graph import Graph
from dse.importing.lower import lower
from dse.importing.passes import tidy
from dse.importing.values import Lowered
from dse.ir.accelerator import Accelerator
from dse.ir.network import Network
from dse.ir.numbers import IntType

# the weights are there: a training of the float network is only asked for where it is to be better
STAGES = Stages(pretrain_epochs=0, finetune_epochs=5, finetune_images=6000, final_epochs=20)
FEATURE_SCALE = 1 / 32  # what `dse.data.npz` makes of features: steps of a standard deviation
COMPRESSION = ("weight_bits", "activation_bits", "scheme", "sparsity", "block", "prune_by")
KEPT = 8  # imported networks that are remembered


@dataclass(frozen=True)
class Imported:
    """A network from outside.

    Attributes:
        exact: the network with every quantiser of the model in its place.
        plain: the network that is trained on: without quantisers that are a layer of their own.
        module: the ONNX file that was made of a torch module; empty where there was a file.
    """

    exact: Lowered
    plain: Lowered
    module: bytes = b""

    @property
    def accelerator(self) -> Accelerator | None:
        """The integer network that the model is; None where it is not quantised throughout, as `why` says."""
        if self.why:
            return None
        found = {name: n.exact for name, n in self.exact.numbers.items()}
        return Accelerator(self.exact.network, {n: p for n, p in found.items() if p is not None})

    @property
    def why(self) -> str:
        """Why the integers of the model cannot be taken over; empty where they can."""
        return self.exact.inexact

    @property
    def digest(self) -> str:
        """Hash of all numbers of the model, and of its layers."""
        h = hashlib.blake2b(self.exact.network.digest.encode(), digest_size=8)
        for name, n in self.exact.numbers.items():
            h.update(name.encode())
            for array in (n.start, n.gain, n.offset):
                h.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        if self.accelerator is not None:
            h.update(self.accelerator.digest.encode())
        return h.hexdigest()

    def network(self, *, frozen: bool) -> Network:
        """Return the network of a study."""
        return (self.exact if frozen else self.plain).network

    def knobs(self, *, frozen: bool) -> dict[str, Knobs]:
        """Return the model's own bits by layer: what a knob is fixed at that a study does not list."""
        found = {}
        for name, n in (self.exact if frozen else self.plain).numbers.items():
            found[name] = Knobs(
                weight_bits=None if n.weight_bits is None else (n.weight_bits,),
                activation_bits=None if n.activation_bits is None else (n.activation_bits,),
            )
        return found


def is_frozen(imported: Imported, space: Space) -> bool:
    """Whether a study searches foldings only: it lists no compression, and the model's integers are known."""
    levels = (space.defaults, *(knobs for _, knobs in space.layers))
    listed = any(getattr(k, name) is not None for k in levels for name in COMPRESSION)
    return not listed and not imported.why


def imported_of(
    model: ModelConfig, data_shape: tuple[int, ...], data_type: IntType, classes: int
) -> Imported:
    """Return the network of a study file.

    Args:
        model: says where it comes from.
        data_shape: of an input of the data set.
        data_type: of its elements.
        classes: of the data set.

    Raises:
        UsageError: it cannot be read, has a node that is not supported, or does not fit the data.
    """
    path = model.kept or model.onnx
    found = _read(
        "" if path is None else str(path), _changed(path), model.function or "", str(model.folder or ""),
        tuple(sorted(model.options.items())), data_type, data_shape,
    )  # fmt: skip
    shape = found.exact.network.input_shape
    if model.input is not None and model.input[1:] != shape:
        msg = (
            f"the input of model {model.name} must be 1x{_sized(shape)}, the study file says"
            f" {_sized(model.input)}; correct it, or leave it out"
        )
        raise UsageError(msg)
    plain_data = len(data_shape) == 1 or data_shape[-1] == 1
    fits = math.prod(shape) == math.prod(data_shape) and (
        shape == data_shape or (plain_data and (len(shape) == 1 or shape[-1] == 1))
    )
    if not fits:
        msg = (
            f"the inputs of the data must be those of model {model.name}, {_sized(shape)}, got"
            f" {_sized(data_shape)}; pad or resize the data, or export the model for these"
        )
        raise UsageError(msg)
    if found.exact.network.classes != classes:
        scores = found.exact.network.classes
        remedy = (
            f"where no image shows the last of them, write data.classes: {scores}"
            if classes < scores
            else f"the labels of the data go up to {classes - 1}, and the first class is 0"
        )
        msg = (
            f"model {model.name} must have the {classes} classes of the data, it has {scores} scores;"
            f" {remedy}"
        )
        raise UsageError(msg)
    return found


def imported(graph: Graph, data_type: IntType, options: Mapping[str, float]) -> Imported:
    """Return the network of a graph as it was read.

    Args:
        graph: the graph.
        data_type: of the integers that the network is fed with.
        options: `input_scale` and `input_offset`; left out, an unsigned integer stands for its share of the
            largest one (0 to 1, as torchvision's ToTensor has it), a signed one for 32nds.
    """
    line = options.get(INPUT_LINE[0], usual_scale(data_type)), options.get(INPUT_LINE[1], 0.0)
    graph = tidy(graph)
    return Imported(lower(graph, data_type, line), lower(graph, data_type, line, plain=True))


def usual_scale(data_type: IntType) -> float:
    """Return what a 1 of the data stands for where nothing is said."""
    if data_type.bipolar:
        return 1.0
    return FEATURE_SCALE if data_type.signed else 1 / data_type.max


@lru_cache(maxsize=KEPT)
def _read(
    onnx: str,
    changed: int,
    function: str,
    folder: str,
    options: tuple[tuple[str, float], ...],
    data_type: IntType,
    data_shape: tuple[int, ...],
) -> Imported:
    del changed  # a file that was written anew is read anew
    if not function:
        return imported(onnx_file.read(Path(onnx)), data_type, dict(options))
    if onnx:
        module = _kept(Path(onnx), function)
    else:
        from dse.importing.torch_module import export

        module = export(function, Path(folder), data_shape)
    graph = onnx_file.parse(module, function.rpartition(":")[2], onnx or function)
    return replace(imported(graph, data_type, dict(options)), module=module)


def _kept(path: Path, function: str) -> bytes:
    """Return the file that a study keeps of a module.

    Raises:
        UsageError: it does not.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        msg = (
            f"{path} must hold what {function} returned, but cannot be read ({error.strerror}): only"
            " `dse run STUDY.yaml` and `dse check` call the function, and `run` keeps it; run that again"
        )
        raise UsageError(msg) from None


def _changed(path: Path | None) -> int:
    try:
        return 0 if path is None else path.stat().st_mtime_ns
    except OSError:
        return 0  # reading it will say what is wrong


def _sized(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
