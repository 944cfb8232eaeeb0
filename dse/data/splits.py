"""A data set of one .npz file per split, as `data: {train, calibrate, validate, test}` names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dse.config.values import DataConfig
from dse.data._arrays import Array, alike, as_integers, check_input, read
from dse.data._dataset import Dataset, Split
from dse.data._files import checked_split
from dse.data._splitting import TEST_SEED, dataset, padded, stratified_order
from dse.errors import UsageError
from dse.ir.numbers import IntType

EXPECTED = "an .npz file with the arrays x (inputs) and y (classes)"
HELD_OUT = 5  # of the images of `validate` one in so many is the test part, where no file is


def load(config: DataConfig, seed: int) -> Dataset:
    """Return the data set of several files, each with the arrays x and y.

    `calibrate` sets ranges and thresholds; where there is no `train`, it is also all that is learned from.
    Where there is no `test`, a fifth of `validate`, the same in every study, is held out as the test part,
    so that a report can quote images that the search never saw. Inputs are those of `npz`.

    Args:
        config: `files` by split, `classes` where labels do not show all of them.
        seed: of the order of the images.

    Raises:
        UsageError: a file is damaged or has no images, files do not fit together, or a label is no class.
    """
    if "validate" not in config.files or not {"train", "calibrate"} & set(config.files):
        msg = (
            "data 'splits' needs a file to measure on and one to learn from:"
            " write data: {calibrate: A.npz, validate: B.npz}"
        )
        raise UsageError(msg)
    arrays = {part: _read(path) for part, path in config.files.items()}
    learned = "train" if "train" in arrays else "calibrate"
    kind = arrays[learned][0]
    for part, (x, _) in arrays.items():
        if not alike(x, kind):
            msg = (
                f"{config.files[part]}: all files must have one kind of input, got"
                f" {x.dtype} {x.shape[1:]}, and {kind.dtype} {kind.shape[1:]} in"
                f" {config.files[learned].name}"
            )
            raise UsageError(msg)
    inputs = as_integers({part: x for part, (x, _) in arrays.items()}, learned)
    splits = {
        part: checked_split(config.files[part], part, inputs[part], y)
        for part, (_, y) in arrays.items()
    }
    validation, test = splits["validate"], splits.get("test")
    if test is None:
        validation, test = _held_out(config.files["validate"], validation)
    made = dataset(
        f"splits {', '.join(path.name for path in config.files.values())}",
        config,
        seed,
        input_type=IntType(bits=8, signed=kind.dtype.kind == "f"),
        train=splits[learned],
        test=test,
        validation=validation,
    )
    calibration = made.train if learned == "calibrate" else None
    if calibration is None and "calibrate" in splits:
        own = splits["calibrate"]  # a fair sample of the classes comes first, as in the other parts
        order = stratified_order(own.labels, np.random.default_rng(TEST_SEED))
        calibration = padded(Split(own.images[order], own.labels[order]), config.pad)
    return replace(made, classes=_classes(config, splits), calibration=calibration)


def _read(path: Path) -> tuple[Array, Array]:
    arrays = read(path, ("x", "y"), EXPECTED)
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing:
        msg = f"{path}: expected {EXPECTED}; it lacks {' and '.join(missing)}"
        raise UsageError(msg)
    check_input(path, "x", arrays["x"])
    if not len(arrays["x"]):
        msg = f"{path}: x must hold images, it has none"
        raise UsageError(msg)
    return arrays["x"], arrays["y"]


def _held_out(path: Path, split: Split) -> tuple[Split, Split]:
    """Return the validation part, and the fifth of it that is the test part."""
    order = stratified_order(split.labels, np.random.default_rng(TEST_SEED))
    count = len(order) // HELD_OUT
    if not count:
        msg = (
            f"{path}: a fifth of the images is held out for the report, so {HELD_OUT} must be there,"
            f" got {len(order)}; add images, or name a file of its own with `test:`"
        )
        raise UsageError(msg)
    kept, out = np.sort(order[count:]), np.sort(order[:count])
    return Split(split.images[kept], split.labels[kept]), Split(
        split.images[out], split.labels[out]
    )


def _classes(config: DataConfig, splits: dict[str, Split]) -> int:
    found = 1 + max(int(split.labels.max()) for split in splits.values())
    if config.classes is None:
        return found
    for part, split in splits.items():
        if split.labels.max() >= config.classes:
            msg = (
                f"{config.files[part]}: labels must be below the {config.classes} of data.classes,"
                f" got {split.labels.max()}; correct one of the two"
            )
            raise UsageError(msg)
    return config.classes
