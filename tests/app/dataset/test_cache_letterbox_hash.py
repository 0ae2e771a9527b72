"""Pixels decoded once, fitted into squares, and the hash of a set."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.dataset.cache import PixelCache
from app.dataset.images import read_grey
from app.dataset.letterbox import letterbox
from app.dataset.read import read_tiles, tileset_hash
from app.dataset.tiles import TileSet
from app.errors import DatasetError, OutputError
from tests.app.dataset.made_sets import make_yolo, picture


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    return read_tiles(make_yolo(tmp_path / "set", {"a": "0 .5 .5 .2 .2", "b": "", "c": ""}))[0]


@pytest.mark.parametrize("limit_bytes", [None, 0], ids=["memory", "map"])
def test_pixels_are_those_of_the_file_and_survive_it(tiles: TileSet, limit_bytes: int | None) -> None:
    cache = PixelCache(tiles, limit_bytes=limit_bytes)
    assert cache.in_memory is (limit_bytes is None)
    for index in (2, 0, 1):
        np.testing.assert_array_equal(cache.get(index), picture(index))
    shutil.rmtree(tiles.root)
    np.testing.assert_array_equal(cache.get(1), picture(1))


def test_the_map_leaves_no_file(tiles: TileSet, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    cache = PixelCache(tiles, limit_bytes=0, folder=folder)
    cache.get(0)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_hold_the_map(tiles: TileSet, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        PixelCache(tiles, limit_bytes=0, folder=tmp_path / "missing")


def test_a_file_that_changed_is_named(tiles: TileSet) -> None:
    cache = PixelCache(tiles)
    assert cv2.imwrite(str(tiles.tiles[1].path), picture(1, 40, 40))
    with pytest.raises(DatasetError, match=r"b\.png changed or vanished"):
        cache.get(1)


def test_an_image_larger_than_opencv_takes_is_unreadable(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "long.tif"), np.zeros((2**20 + 1, 4), np.uint8))
    assert read_grey(tmp_path / "long.tif") is None


def test_deep_images_keep_their_contrast(tmp_path: Path) -> None:
    twelve_bit = picture(0).astype(np.uint16) << 4
    assert cv2.imwrite(str(tmp_path / "deep.tif"), twelve_bit)
    np.testing.assert_array_equal(read_grey(tmp_path / "deep.tif"), picture(0))
    numbers = picture(0).astype(np.float32) / 1000
    numbers[0, 0] = np.nan
    assert cv2.imwrite(str(tmp_path / "float.tif"), numbers)
    image = read_grey(tmp_path / "float.tif")
    assert image is not None
    assert image.max() == 255
    assert image[0, 0] == 0


@pytest.mark.parametrize(("height", "width"), [(100, 400), (400, 100), (50, 64), (128, 128), (1, 999)])
def test_letterbox_pads_right_and_below_and_never_enlarges(height: int, width: int) -> None:
    image = np.full((height, width), 200, np.uint8)
    square, scale = letterbox(image, 128)
    assert square.shape == (128, 128)
    assert scale == min(1, 128 / max(height, width))
    inside = square[: max(1, round(height * scale)), : max(1, round(width * scale))]
    assert (inside == 200).all()
    assert int((square > 0).sum()) == inside.size


def test_hash_follows_content_and_not_the_place(tiles: TileSet, tmp_path: Path) -> None:
    shutil.copytree(tiles.root, tmp_path / "copy")
    before = tileset_hash(tiles)
    assert tileset_hash(read_tiles(tmp_path / "copy")[0]) == before
    (tmp_path / "copy" / "labels" / "a.txt").write_text("0 .5 .5 .2 .3")
    assert tileset_hash(read_tiles(tmp_path / "copy")[0]) != before
    (tmp_path / "copy" / "labels" / "a.txt").write_text("0 .5 .5 .2 .2")
    assert cv2.imwrite(str(tmp_path / "copy" / "images" / "c.png"), picture(9))
    assert tileset_hash(read_tiles(tmp_path / "copy")[0]) != before


def test_hash_of_a_name_that_is_not_utf8(tiles: TileSet) -> None:
    before = tileset_hash(tiles)
    for folder, suffix in (("images", "png"), ("labels", "txt")):
        (tiles.root / folder / f"b.{suffix}").rename(
            tiles.root / folder / os.fsdecode(b"M\xfc." + suffix.encode())
        )
    assert tileset_hash(read_tiles(tiles.root)[0]) != before


def test_hash_of_a_vanished_file(tiles: TileSet) -> None:
    tiles.tiles[0].path.unlink()
    with pytest.raises(DatasetError, match="vanished"):
        tileset_hash(tiles)
