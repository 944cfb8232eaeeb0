"""`model`: the network that is compressed, built in or from outside."""

from __future__ import annotations

import re
from pathlib import Path

from dse.config.complaints import Complaints
from dse.config.paths import existing
from dse.config.read import plugin, scalar
from dse.config.tree import Map, Node, Scalar, describe
from dse.config.values import INPUT_LINE, ModelConfig
from dse.ir import plugins

NETWORKS = "dse.networks"
FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
SIZES = re.compile(r"\d{1,6}(x\d{1,6}){1,3}")
FOREIGN = ("onnx", "function")


def model_of(
    node: Node, folder: Path, check_files: bool, complaints: Complaints
) -> ModelConfig | None:
    """Read the name of a built-in network, a path to an .onnx file, "package.module:callable", or a map.

    Args:
        node: the value of `model`.
        folder: of the study file; paths and modules are looked for there.
        check_files: whether the files must be there.
        complaints: receives what is wrong.
    """
    if not isinstance(node, Map):
        word = scalar(node, "model", complaints, "a name such as digits-cnn")
        return None if word is None else _named(word, folder, check_files, complaints)
    keys = [k for k in ("name", *FOREIGN) if node.get(k) is not None]
    if len(keys) > 1:
        entry = node.get(keys[1])
        assert entry is not None
        complaints.add(
            entry.key.span,
            "duplicate-key",
            f"model has {keys[0]} and {keys[1]}",
            "keep one of them",
        )
        return None
    found: ModelConfig | None = None
    options: dict[str, float] = {}
    sizes: tuple[int, ...] | None = None
    for entry in node.entries:
        key, value = entry.key.text, entry.value
        if key in keys:
            word = scalar(value, key, complaints)
            if word is not None:
                found = _read(key, word, folder, check_files, complaints)
            continue
        if key == "input" and keys != ["name"]:
            sizes = _sizes(value, complaints)
            continue
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(number, int | float) and not isinstance(number, bool):
            options[key] = float(number)
        else:
            message = f"{key} of model is one number, not {describe(value)}"
            complaints.add(value.span, "bad-type", message)
        if keys and keys[0] in FOREIGN and key not in INPUT_LINE:
            complaints.add(
                entry.key.span,
                "unknown-key",
                f"a model from outside has no option {key!r}",
                f"it takes input, {' and '.join(INPUT_LINE)}",
            )
    if not keys:
        complaints.add(
            node.span.part(0, 1), "missing-key", "model needs 'name'", "write name: digits-cnn"
        )
    if found is None:
        return None
    if options.get(INPUT_LINE[0], 1.0) <= 0:
        entry = node.get(INPUT_LINE[0])
        assert entry is not None
        complaints.add(entry.value.span, "out-of-range", f"{INPUT_LINE[0]} is above 0")
    return ModelConfig(found.name, options, found.onnx, found.function, found.folder, sizes)


def own_data(model: ModelConfig) -> str | None:
    """Return the built-in data set that a model is usually measured on, None where it has none."""
    if model.imported:
        return None
    data: str | None = plugins.load(NETWORKS, model.name).DATA
    return data


def _named(
    word: Scalar, folder: Path, check_files: bool, complaints: Complaints
) -> ModelConfig | None:
    kind = "name"
    if word.text.endswith(".onnx"):
        kind = "onnx"
    elif ":" in word.text:
        kind = "function"
    return _read(kind, word, folder, check_files, complaints)


def _read(
    kind: str, word: Scalar, folder: Path, check_files: bool, complaints: Complaints
) -> ModelConfig | None:
    if kind == "onnx":
        path = existing(word, "model", folder, check_files, complaints)
        return None if path is None else ModelConfig(_plain(path.stem), onnx=path)
    if kind == "function":
        if FUNCTION.fullmatch(word.text):
            name = _plain(word.text.rpartition(":")[2])
            return ModelConfig(name, function=word.text, folder=folder)
        complaints.add(
            word.span,
            "bad-value",
            f"a model in Python is package.module:callable, not {describe(word)}",
            "name a function without arguments that returns a torch module",
        )
        return None
    if "." in word.text or "/" in word.text:  # no name of ours has them
        complaints.add(
            word.span,
            "unknown-model",
            f"unknown model {describe(word)}",
            "a network of your own is a file that ends in .onnx, or package.module:function",
        )
        return None
    known = plugin(word, "model", "models", plugins.names(NETWORKS), complaints)
    return None if known is None else ModelConfig(known)


def _plain(name: str) -> str:
    """Return a name of letters, digits and underscores: it is written into sources and paths."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:63] or "model"


def _sizes(node: Node, complaints: Complaints) -> tuple[int, ...] | None:
    word = scalar(node, "input", complaints, "1x32x32x3")
    if word is None:
        return None
    if SIZES.fullmatch(word.text):
        return tuple(int(n) for n in word.text.split("x"))
    complaints.add(
        word.span,
        "bad-value",
        f"input is the sizes of an input, not {describe(word)}",
        "write batch, height, width, channels: 1x32x32x3",
    )
    return None
