"""The weights of the trained float network, where the training of every candidate starts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation of `(mh,)` channels: gain * (x - mean) / sqrt(variance + EPSILON) + offset."""

    gain: Floats
    offset: Floats
    mean: Floats
    variance: Floats

    def rows(self, order: npt.NDArray[np.int64]) -> BatchNorm:
        """Return the channels `order`."""
        return BatchNorm(
            self.gain[order], self.offset[order], self.mean[order], self.variance[order]
        )


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One matrix layer.

    Attributes:
        weights: `(mh, mw)`, columns in stream order (ky, kx, channel).
        norm: the batch normalisation behind it; None for the last layer.
    """

    weights: Floats
    norm: BatchNorm | None


@dataclass(frozen=True, slots=True)
class BaseWeights:
    """A trained float network.

    Attributes:
        layers: by matrix layer name.
        accuracy: fraction of the validation images it classifies correctly.
    """

    layers: Mapping[str, LayerWeights]
    accuracy: float

    @property
    def trained(self) -> bool:
        """Whether any training has been done: without it all batch normalisations do nothing."""
        norms = [layer.norm for layer in self.layers.values() if layer.norm is not None]
        return not norms or any((n.gain != 1).any() or (n.offset != 0).any() for n in norms)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return all parameters as named arrays, for an .npz file; `from_arrays` is the inverse."""
        result: dict[str, npt.NDArray[np.generic]] = {"accuracy": np.array(self.accuracy)}
        for name, layer in self.layers.items():
            result[f"{name}.weights"] = layer.weights
            if layer.norm is not None:
                for field in BatchNorm.__dataclass_fields__:
                    result[f"{name}.{field}"] = getattr(layer.norm, field)
        return result

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> BaseWeights:
        """Rebuild base weights from `arrays`."""
        layers = {}
        for key in arrays:
            if key.endswith(".weights"):
                name = key.removesuffix(".weights")
                norm = None
                if f"{name}.gain" in arrays:
                    fields = BatchNorm.__dataclass_fields__
                    norm = BatchNorm(**{f: _floats(arrays[f"{name}.{f}"]) for f in fields})
                layers[name] = LayerWeights(_floats(arrays[key]), norm)
        return BaseWeights(layers, float(arrays["accuracy"].astype(np.float64)))

    @property
    def digest(self) -> str:
        """Hash of all parameters."""
        h = hashlib.blake2b(digest_size=8)
        for name, array in sorted(self.arrays().items()):
            h.update(name.encode())
            h.update(np.ascontiguousarray(array).tobytes())
        return h.hexdigest()


def _floats(array: npt.NDArray[np.generic]) -> Floats:
    return array.astype(np.float32)
