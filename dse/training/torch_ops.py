"""Matrix layers in torch: products, input tensors, threads and devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as f

from dse.ir.graph import last_readers
from dse.ir.layers._base import Layer, MatrixLayer
from dse.ir.layers.add import Add
from dse.ir.layers.average_pool2d import AveragePool2d
from dse.ir.layers.concat import Concat
from dse.ir.layers.conv2d import Conv2d
from dse.ir.layers.depthwise_conv2d import DepthwiseConv2d
from dse.ir.layers.duplicate import Duplicate
from dse.ir.layers.global_average_pool import GlobalAveragePool
from dse.ir.layers.max_pool2d import MaxPool2d
from dse.ir.network import Network

EPSILON = 1e-5  # added to the variance in batch normalisation (the default of torch)


def product(layer: MatrixLayer, x: Tensor, weights: Tensor, pad_value: float) -> Tensor:
    """Return the matrix products of a layer.

    Args:
        layer: a convolution or a dense layer.
        x: `(n, C, H, W)` or `(n, C)`.
        weights: `(mh, mw)`, columns in stream order (ky, kx, channel), of a depthwise layer (ky, kx).
        pad_value: what a convolution puts around its input.

    Returns:
        `(n, mh, OH, OW)` or `(n, mh)`.
    """
    if not isinstance(layer, Conv2d | DepthwiseConv2d):
        if x.ndim == 4:
            x = x.permute(0, 2, 3, 1).flatten(1)  # stream order (h, w, channel)
        return f.linear(x, weights)
    k, padding = layer.kernel, layer.padding
    kernel = weights.view(layer.mh, k, k, -1).permute(0, 3, 1, 2)
    if padding and pad_value:
        x = f.pad(x, (padding,) * 4, value=pad_value)
        padding = 0
    groups = layer.mh if isinstance(layer, DepthwiseConv2d) else 1
    return f.conv2d(x, kernel, stride=layer.stride, padding=padding, groups=groups)


def pooled(layer: Layer, x: Tensor, *others: Tensor, largest: float | None = None) -> Tensor:
    """Return the output of a layer without weights; of a global pool the integer network's, the sum.

    Args:
        layer: a pool, or the join at the end of a block.
        x: its first input.
        others: its other inputs.
        largest: where a sum is cut off, as it is below 0; None: it is not.
    """
    if isinstance(layer, Add):
        return (x + others[0]).clamp(min=0, max=largest)
    if isinstance(layer, Concat):
        return torch.cat([x, others[0]], dim=1)
    if isinstance(layer, GlobalAveragePool):
        return x.sum(dim=(2, 3))
    if isinstance(layer, AveragePool2d):
        return f.avg_pool2d(x, layer.kernel)
    if isinstance(layer, Duplicate):
        return x.repeat_interleave(2, dim=1)
    if not isinstance(layer, MaxPool2d):
        msg = f"layer {layer.name!r} cannot be trained ({type(layer).__name__})"
        raise TypeError(msg)
    return f.max_pool2d(x, layer.kernel, layer.step, layer.padding)


def run(
    network: Network, x: Tensor, output: Callable[[Layer, tuple[Tensor, ...]], Tensor]
) -> Tensor:
    """Return the output of the last layer.

    Args:
        network: the layers.
        x: input of the network.
        output: what a layer makes of its inputs.
    """
    values, read = {"input": x}, last_readers(network)
    for layer in network.layers:
        x = output(layer, tuple(values[name] for name in layer.inputs))
        for name in read.get(layer.name, ()):
            del values[name]
        values[layer.name] = x
    return x


def as_input(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return `(n, H, W, C)` or `(n, F)` integers as numbers, maps as `(n, C, H, W)` with channels innermost."""
    x = images.to(dtype)
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def resolved(device: str) -> str:
    """Return a torch device; "auto" is a GPU where there is one."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, so that sums have one order and the same seed gives the same weights.

    Candidates run side by side in workers; more threads in each would only be in each other's way.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
