"""Values of `pe` and `simd` that no folding can have, with their place in the study file."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from dse.config.problems import problem_at
from dse.config.tree import Items, Map, Node, Scalar, steps
from dse.config.values import Knobs, StudyConfig
from dse.ir.layers._base import MatrixLayer
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.network import Network

LANES = ("pe", "simd")


def check_divisors(config: StudyConfig, network: Network) -> None:
    """Check that every listed PE and SIMD is legal for a layer that it is listed for, and each of these keeps one.

    PE divides the outputs of a layer and SIMD its inputs (of a depthwise layer SIMD is 1). Where weights are
    pruned a layer may have fewer of both, which other numbers divide: only what exceeds them is refused then.

    Raises:
        StudyFileError: a value is illegal for all layers that it is listed for, or a layer is left without any.
    """
    knobs = (config.space.defaults, *(k for _, k in config.space.layers))
    pruned = any(max(k.sparsity or (0.0,)) > 0 for k in knobs)
    for path, values, knob, layers in _listed(config, network):
        written = _written(config, path)
        for value in values:
            wrong = [x for x in layers if not _may_be(x, knob, value, pruned=pruned)]
            left = [x for x in wrong if not any(_may_be(x, knob, v, pruned=pruned) for v in values)]
            # of a range nobody wrote the single value
            if not left and (len(wrong) < len(layers) or written is None):
                continue
            texts = written or []
            index = texts.index(str(value)) if str(value) in texts else 0
            layer, *others = left or wrong
            count, noun = _divided(layer, knob)
            more = f" (and {len(others)} more)" if others else ""
            fails = "is more than" if pruned else "does not divide"
            allowed = ", ".join(str(n) for n in range(1, count + 1) if count % n == 0)
            raise problem_at(
                config,
                f"{path}[{index}]",
                "no-divisor",
                f"{knob} {value} {fails} the {count:,} {noun} of layer {layer.name!r}{more}",
                notes=(
                    f"allowed for it: {allowed}",
                    f"`fold: balanced` or `{knob}: divisors` picks legal values per layer",
                ),
            )


def _listed(
    config: StudyConfig, network: Network
) -> Iterator[tuple[str, tuple[int, ...], str, list[MatrixLayer]]]:
    """Yield every list of PE or SIMD: its path, values, knob, and the layers for which it is the last one."""
    levels: list[tuple[str, str, Knobs]] = [("space", "*", config.space.defaults)]
    levels += [(f"space.layers[{i}]", p, k) for i, (p, k) in enumerate(config.space.layers)]
    defaults = any(path.startswith("space.defaults.") for path in config.marks)
    for knob in LANES:
        last = {
            layer.name: number
            for layer in network.matrix_layers
            for number, (_, pattern, knobs) in enumerate(levels)
            if getattr(knobs, knob) is not None and fnmatch.fnmatch(layer.name, pattern)
        }
        for number, (path, _, knobs) in enumerate(levels):
            layers = [x for x in network.matrix_layers if last.get(x.name) == number]
            inside = f"{path}.{knob}"
            if number == 0 and defaults and f"space.{knob}" not in config.marks:
                inside = f"space.defaults.{knob}"
            if layers:
                yield inside, getattr(knobs, knob), knob, layers


def _divided(layer: MatrixLayer, knob: str) -> tuple[int, str]:
    """Return what a knob divides, and what it is called."""
    if knob == "pe":
        return layer.mh, "output channels" if len(layer.output_shape) > 1 else "outputs"
    if isinstance(layer, DepthwiseConv2d):
        return 1, "channel of a step"
    return layer.mw, "inputs of a window" if len(layer.output_shape) > 1 else "inputs"


def _may_be(layer: MatrixLayer, knob: str, value: int, *, pruned: bool) -> bool:
    count, _ = _divided(layer, knob)
    return value <= count if pruned else count % value == 0


def _written(config: StudyConfig, path: str) -> list[str] | None:
    """Return the items of a list, or the one value, as the file has them; None of a range, or an override."""
    node: Node | None = config.tree
    for step in steps(path):
        entry = node.get(step) if isinstance(node, Map) and isinstance(step, str) else None
        if isinstance(node, Items) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            node = None if entry is None else entry.value
    if isinstance(node, Items):
        return [item.text if isinstance(item, Scalar) else "" for item in node.items]
    return [node.text] if isinstance(node, Scalar) else None
