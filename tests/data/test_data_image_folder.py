"""Image folders: what is read, what stays on disk, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dse.config.values import DataConfig
from dse.data import imagefolder
from dse.data._dataset import Dataset
from dse.data._image_files import ImageFiles, read_image
from dse.errors import UsageError

RNG = np.random.default_rng(0)


def save(path: Path, height: int, width: int, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, count in (("train", 10), ("val", 3)):
        for name in ("cat", "dog", "eel"):
            for i in range(count):
                save(tmp_path / part / name / f"{i:02}.png", 40 + i, 50)
    return tmp_path


def load(folder: Path, **options: object) -> Dataset:
    config = DataConfig("imagefolder", path=folder, size=16, **options)  # type: ignore[arg-type]
    return imagefolder.load(config, seed=0)


def test_classes_are_the_folders_in_order(folder: Path) -> None:
    data = load(folder)
    assert (data.classes, data.input_shape) == (3, (16, 16, 3))
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 3, 9)
    for split in (data.train, data.test):
        assert isinstance(split.images, ImageFiles)
        names = [name.decode().split("/")[1] for name in split.images.names.tolist()]
        assert names == [("cat", "dog", "eel")[label] for label in split.labels]


def test_the_middle_square_of_the_scaled_image(tmp_path: Path) -> None:
    """A square in the middle of a wide image: green there, red at both ends."""
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, :, 0] = 255
    pixels[:, 64:128] = (0, 255, 0)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found = read_image(tmp_path / "wide.png", 28)  # scaled to 32 x 96: green from 32 to 64
    assert found.shape == (28, 28, 3)
    assert (found == (0, 255, 0)).all()


def test_an_image_of_the_scaled_size_is_only_cut(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 256, 300)
    whole = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 224), whole[16:240, 38:262])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA"])
def test_other_kinds_of_pixels_become_three_channels(mode: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png", 30, 20, mode)
    assert read_image(tmp_path / "a.png", 16).shape == (16, 16, 3)


def test_nothing_is_read_before_it_is_needed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(
        "dse.data._image_files.read_image",
        lambda path, size: read.append(path) or np.zeros((size, size, 3), np.uint8),
    )
    data = load(folder, pad=2, limit={"train": 20})
    assert len(data.digest) == 16
    assert not read
    part = np.asarray(data.train.images[np.array([3, 5])])
    assert part.shape == (2, 20, 20, 3)
    assert [p.name for p in read] == [
        Path(data.train.images.names[i].decode()).name  # type: ignore[attr-defined]
        for i in (3, 5)
    ]


def test_another_size_or_file_is_another_data_set(folder: Path) -> None:
    before = load(folder).digest
    assert load(folder).digest == before
    assert load(folder, pad=1).digest != before
    save(folder / "train" / "cat" / "00.png", 90, 90)
    assert load(folder).digest != before


def test_a_damaged_image_is_named(folder: Path) -> None:
    broken = folder / "val" / "eel" / "01.png"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    with pytest.raises(UsageError, match=r"eel.01\.png: expected an image that can be read, got"):
        np.asarray(load(folder).test.images)
    broken.write_text("no image")
    with pytest.raises(UsageError, match=r"eel.01\.png: .* it is none; replace the file"):
        np.asarray(load(folder).test.images)


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(
        UsageError, match=r"nowhere: there is no such .* needs a folder with train/"
    ):
        load(folder / "nowhere")
    (folder / "val" / "fox").mkdir()
    with pytest.raises(UsageError, match=r"every class of val/ must be in train/, 'fox' is not"):
        load(folder)
    (folder / "val" / "fox").rmdir()
    for path in (folder / "val").rglob("*.png"):
        path.unlink()
    with pytest.raises(UsageError, match=r"val: expected images .* there are none"):
        load(folder)
