"""`model`: the network that is compressed."""

from __future__ import annotations

from dse.config.complaints import Complaints
from dse.config.read import not_supported, plugin, scalar
from dse.config.tree import Map, Node, Scalar, describe
from dse.config.values import ModelConfig
from dse.ir import plugins

NETWORKS = "dse.networks"
FOREIGN = "models are built in for now: write one of their names"


def model_of(node: Node, complaints: Complaints) -> ModelConfig | None:
    """Read the name of a built-in network, or a map of its name and numeric options."""
    if not isinstance(node, Map):
        word = scalar(node, "model", complaints, "a name such as digits-cnn")
        name = None if word is None else _network(word, complaints)
        return None if name is None else ModelConfig(name)
    onnx = node.get("onnx")
    if onnx is not None:
        not_supported(onnx.key, "a model from an ONNX file", FOREIGN, complaints)
        return None
    name = None
    options: dict[str, float] = {}
    for entry in node.entries:
        key, value = entry.key.text, entry.value
        if key == "name":
            word = scalar(value, "name", complaints)
            name = None if word is None else _network(word, complaints)
            continue
        number = value.value if isinstance(value, Scalar) else None
        if isinstance(number, int | float) and not isinstance(number, bool):
            options[key] = float(number)
        else:
            message = f"{key} of model is one number, not {describe(value)}"
            complaints.add(value.span, "bad-type", message)
    if node.get("name") is None:
        complaints.add(
            node.span.part(0, 1), "missing-key", "model needs 'name'", "write name: digits-cnn"
        )
    return None if name is None else ModelConfig(name, options)


def own_data(model: ModelConfig) -> str | None:
    """Return the built-in data set that a model is usually measured on, None where it has none."""
    data: str | None = plugins.load(NETWORKS, model.name).DATA
    return data


def _network(node: Scalar, complaints: Complaints) -> str | None:
    if node.text.endswith(".onnx") or ":" in node.text:
        not_supported(node, f"the model {describe(node)}", FOREIGN, complaints)
        return None
    return plugin(node, "model", "models", plugins.names(NETWORKS), complaints)
