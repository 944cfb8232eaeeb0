"""Any data set in one .npz file: x_train, y_train, x_test, y_test (and x_val, y_val)."""

from __future__ import annotations

from pathlib import Path

from dse.config.values import DataConfig
from dse.data._arrays import Array, alike, as_integers, check_input, read
from dse.data._dataset import Dataset, Split
from dse.data._files import checked_split, required_path
from dse.data._splitting import dataset
from dse.errors import UsageError
from dse.ir.numbers import IntType

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("x_val", "y_val")
EXPECTED = f"an .npz file with the arrays {', '.join(REQUIRED)}"


def load(config: DataConfig, seed: int) -> Dataset:
    """Return the data set of an .npz file.

    uint8 images `(n, H, W)` or `(n, H, W, C)`, or uint8 features `(n, F)`, are taken as they are. Floating-point
    features `(n, F)` are standardised with mean and deviation of x_train and rounded to signed 8 bit, 32
    steps a standard deviation.

    Args:
        config: `path` is the file.
        seed: of the validation split and the order.

    Raises:
        UsageError: the file is damaged, or an array is missing or of another kind.
    """
    path = required_path(config, EXPECTED)
    arrays = _read(path)
    parts = ("train", "test", "val") if "x_val" in arrays else ("train", "test")
    inputs = {part: arrays[f"x_{part}"] for part in parts}
    _check_inputs(path, inputs)
    features = inputs["train"].dtype.kind == "f"
    inputs = as_integers(inputs, "train")
    splits: dict[str, Split] = {
        part: checked_split(path, part, inputs[part], arrays[f"y_{part}"]) for part in parts
    }
    return dataset(
        f"npz {path.name}",
        config,
        seed,
        input_type=IntType(bits=8, signed=features),
        train=splits["train"],
        test=splits["test"],
        validation=splits.get("val"),
    )


def _read(path: Path) -> dict[str, Array]:
    arrays = read(path, REQUIRED + OPTIONAL, EXPECTED)
    missing = [name for name in REQUIRED if name not in arrays]
    if ("x_val" in arrays) != ("y_val" in arrays):
        missing.append("y_val" if "x_val" in arrays else "x_val")
    if missing:
        msg = f"{path}: expected {EXPECTED}; it lacks {', '.join(missing)}"
        raise UsageError(msg)
    return arrays


def _check_inputs(path: Path, inputs: dict[str, Array]) -> None:
    train = inputs["train"]
    for part, x in inputs.items():
        check_input(path, f"x_{part}", x)
        if not alike(x, train):
            msg = (
                f"{path}: all parts must have one kind of input, got x_train {train.dtype}"
                f" {train.shape[1:]} and x_{part} {x.dtype} {x.shape[1:]}"
            )
            raise UsageError(msg)
