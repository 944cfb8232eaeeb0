"""Reading pickles that hold arrays and basic types, and nothing that could run code."""

from __future__ import annotations

import _codecs
import pickle
from pathlib import Path
from typing import Any

import numpy as np

# Everything a pickled array of numbers refers to, under its names in Python 2, numpy 1 and numpy 2.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("_codecs", "encode"): _codecs.encode,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return one of the few allowed callables."""
        if (module, name) not in _ALLOWED:
            msg = f"a reference to {module}.{name}, which a file of arrays has no need of"
            raise pickle.UnpicklingError(msg)
        return _ALLOWED[module, name]


def load_arrays(path: Path) -> Any:
    """Return the object in the pickle file `path`; strings of Python 2 become bytes.

    Raises:
        pickle.UnpicklingError: it refers to anything but numpy arrays, or is no pickle.
        EOFError, ValueError, TypeError, LookupError: it is damaged.
    """
    with path.open("rb") as file:
        return _ArrayUnpickler(file, encoding="bytes").load()
