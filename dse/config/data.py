"""`data`: what a network is trained and measured on."""

from __future__ import annotations

from pathlib import Path

from dse.config.complaints import Complaints
from dse.config.model import own_data
from dse.config.paths import existing
from dse.config.quantities import amount, fraction
from dse.config.read import ANY, entries, keys, plugin, scalar, whole
from dse.config.tree import Map, Node, Scalar, describe
from dse.config.values import DataConfig, ModelConfig
from dse.ir import plugins

FILES = ("train", "calibrate", "validate", "test")  # one .npz file per split
SPLITS = "splits"  # the loader of these
DATA = keys("data", ("name", "path", *FILES, "pad", "validation", "limit", "size", "classes"))
# keys that only some loaders know: their least and largest values, and those loaders
OWN = {
    "size": (8, 4096, ("imagefolder", "noise")),
    "classes": (2, 100_000, ("noise", SPLITS)),
}
LIMIT = keys("limit", ("train", "validation", "test"))


def data_of(
    node: Node, folder: Path, check_files: bool, complaints: Complaints
) -> DataConfig | None:
    """Read a data set: its name, a path to an .npz file, or a map.

    Args:
        node: the value of `data`.
        folder: of the study file; paths are relative to it.
        check_files: whether the files must be there.
        complaints: receives what is wrong.
    """
    if isinstance(node, Map):
        return _described(node, folder, check_files, complaints)
    word = scalar(node, "data", complaints, "a name such as digits, or a path to an .npz file")
    if word is None:
        return None
    if word.text.endswith(".npz"):
        path = existing(word, "data", folder, check_files, complaints)
        return None if path is None else DataConfig("npz", path)
    name = plugin(word, "data", "data sets", plugins.names("dse.data"), complaints)
    return None if name is None else DataConfig(name)


def data_of_model(model: ModelConfig, node: Node, complaints: Complaints) -> DataConfig | None:
    """Return the model's own data set; `node` is the value of `model`."""
    name = own_data(model)
    if name is not None:
        return DataConfig(name)
    complaints.add(
        node.span,
        "missing-key",
        "the study file needs 'data': this model has none of its own",
        "write data: FILE.npz, or data: {name: idx, path: FOLDER}",
    )
    return None


def _described(
    node: Map, folder: Path, check_files: bool, complaints: Complaints
) -> DataConfig | None:
    before = len(complaints)
    found = {k: e.value for k, e in entries(node, DATA, complaints).items()}
    path, name, validation = None, None, None
    files = _files(node, found, folder, check_files, complaints)
    if "path" in found and (word := scalar(found["path"], "path", complaints)) is not None:
        path = existing(word, "data.path", folder, check_files, complaints)
    if "name" in found and (word := scalar(found["name"], "name", complaints)) is not None:
        name = plugin(word, "data", "data sets", plugins.names("dse.data"), complaints)
    elif any(part in found for part in FILES):
        name = SPLITS
    elif path is not None and path.suffix == ".npz":
        name = "npz"
    elif len(complaints) == before:
        complaints.add(node.span.part(0, 1), "missing-key", "data needs 'name'", "write name: idx")
    pad = whole(found["pad"], "pad", 0, 1024, complaints) if "pad" in found else 0
    if "validation" in found:
        validation = _share(found["validation"], complaints)
    own = {}
    for key, (low, high, loaders) in OWN.items():
        if key not in found:
            continue
        own[key] = whole(found[key], key, low, high, complaints)
        if name is not None and name not in loaders:
            complaints.add(
                found[key].span,
                "not-supported",
                f"data {name!r} brings its own {key}",
                f"leave {key} out; {' and '.join(loaders)} can be told",
            )
    limit = {}
    for split, entry in (
        entries(found["limit"], LIMIT, complaints).items() if "limit" in found else ()
    ):
        limit[split] = whole(entry.value, split, 1, ANY, complaints) or 0
    if len(complaints) > before or name is None:
        return None
    return DataConfig(name, path, pad or 0, validation, limit, files=files, **own)


def _files(
    node: Map, found: dict[str, Node], folder: Path, check_files: bool, complaints: Complaints
) -> dict[str, Path]:
    """Return the files of the splits; complain where they do not make a data set."""
    listed = [part for part in FILES if part in found]
    if not listed:
        return {}
    for key in ("path", "validation", "name"):
        word = found.get(key)
        if word is not None and not (isinstance(word, Scalar) and word.text == SPLITS):
            message = f"data has {key}, and files of its own for {' and '.join(listed)}"
            complaints.add(word.span, "conflict", message, f"leave {key} out")
    needed = {"validate": ("validate",), "calibrate": ("calibrate", "train")}
    for key, either in needed.items():
        if not set(either) & set(listed):
            message = f"data with {listed[0]!r} needs {' or '.join(map(repr, either))}"
            hint = f"write {key}: FILE.npz"
            complaints.add(node.span.part(0, 1), "missing-key", message, hint)
    files = {}
    for part in listed:
        word = scalar(found[part], part, complaints, f"{part}: FILE.npz")
        if word is None:
            continue
        if not word.text.endswith(".npz"):
            message = f"data.{part} is an .npz file with the arrays x and y, not {describe(word)}"
            complaints.add(
                word.span, "bad-value", message, "store it with numpy.savez(FILE, x=..., y=...)"
            )
        elif (path := existing(word, f"data.{part}", folder, check_files, complaints)) is not None:
            files[part] = path
    return files


def _share(node: Node, complaints: Complaints) -> float | None:
    found = scalar(node, "validation", complaints)
    if found is None:
        return None
    parts = amount(found)
    if parts is not None:
        value = fraction(parts) if parts.unit else parts.number
        if value is not None and 0 < value < 1:
            return value
    complaints.add(
        found.span,
        "out-of-range",
        f"validation is a fraction above 0 and below 1, not {describe(found)}",
        "write 0.1 or '10 %'",
    )
    return None
