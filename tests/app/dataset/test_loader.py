"""Batches: the same at any number of threads and from any start, errors told, threads ended."""

import threading
from pathlib import Path

import numpy as np
import pytest

from app.dataset.augment import Augmentation
from app.dataset.cache import PixelCache
from app.dataset.loader import TileLoader
from app.dataset.read import read_tiles
from app.dataset.tile_batches import Batch, TileBatches
from app.dataset.tiles import TileSet
from app.errors import DatasetError
from tests.app.dataset.made_sets import make_yolo


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    root = tmp_path_factory.mktemp("set")
    return read_tiles(make_yolo(root, {f"{i}": "0 .5 .5 .2 .2" if i % 3 else "" for i in range(22)}))[0]


def loader(tiles: TileSet, **changes: object) -> TileLoader:
    ways = {name: changes.pop(name) for name in ("workers", "processes", "note") if name in changes}
    options = {"indices": range(len(tiles)), "size_px": 64, "batch_size": 4, "seed": 3} | changes
    options = {"augmentation": Augmentation()} | options
    return TileLoader(TileBatches(tiles, PixelCache(tiles), **options), **ways)  # type: ignore[arg-type]


def flat(batches: list[Batch]) -> tuple[np.ndarray, list[list[list[float]]], list[list[int]]]:
    return (
        np.concatenate([b.images_B1HW for b in batches]),
        [boxes.tolist() for b in batches for boxes in b.boxes],
        [labels.tolist() for b in batches for labels in b.labels],
    )


def assert_same(ours: list[Batch], theirs: list[Batch]) -> None:
    np.testing.assert_array_equal(flat(ours)[0], flat(theirs)[0])
    assert flat(ours)[1:] == flat(theirs)[1:]


def test_shapes_and_types(tiles: TileSet) -> None:
    batches = list(loader(tiles).batches(0))
    assert len(batches) == len(loader(tiles)) == 6
    assert [b.images_B1HW.shape for b in batches] == [(4, 1, 64, 64)] * 5 + [(2, 1, 64, 64)]
    assert batches[0].images_B1HW.dtype == np.uint8
    for boxes, labels in zip(batches[0].boxes, batches[0].labels, strict=True):
        assert boxes.dtype == np.float32
        assert boxes.shape == (len(labels), 4)
        assert labels.dtype == np.int64


@pytest.mark.parametrize("workers", [2, 5])
def test_threads_do_not_change_what_comes(tiles: TileSet, workers: int) -> None:
    assert_same(list(loader(tiles).batches(1)), list(loader(tiles, workers=workers).batches(1)))


def test_batch_size_does_not_change_the_samples(tiles: TileSet) -> None:
    assert_same(list(loader(tiles, batch_size=11).batches(1)), list(loader(tiles, batch_size=2).batches(1)))


def test_a_resumed_epoch_goes_on_where_it_stopped(tiles: TileSet) -> None:
    assert_same(list(loader(tiles).batches(2))[3:], list(loader(tiles).batches(2, start_batch=3)))


def test_epochs_and_seeds_differ(tiles: TileSet) -> None:
    first = flat(list(loader(tiles).batches(0)))[0]
    assert not np.array_equal(first, flat(list(loader(tiles).batches(1)))[0])
    assert not np.array_equal(first, flat(list(loader(tiles, seed=4).batches(0)))[0])


def test_the_order_is_another_one_each_epoch(tiles: TileSet) -> None:
    plain = loader(tiles, augmentation=None)
    orders = [[image.tobytes() for image in flat(list(plain.batches(epoch)))[0]] for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]


def test_every_tile_once_an_epoch(tiles: TileSet) -> None:
    images = flat(list(loader(tiles, augmentation=None).batches(0)))[0]
    assert images.shape == (22, 1, 64, 64)
    assert len({image.tobytes() for image in images}) == 22


def test_only_the_given_part(tiles: TileSet) -> None:
    (batch,) = loader(tiles, indices=(1, 2), augmentation=None).batches(0)
    wanted = {PixelCache(tiles).get(i).tobytes() for i in (1, 2)}
    assert {image[0, :48, :64].tobytes() for image in batch.images_B1HW} == wanted


@pytest.mark.parametrize(("tiles_given", "sizes"), [(5, [4]), (6, [4, 2]), (8, [4, 4]), (1, [1])])
def test_a_single_tile_left_over_is_no_batch(tiles: TileSet, tiles_given: int, sizes: list[int]) -> None:
    part = loader(tiles, indices=range(tiles_given), augmentation=None)
    assert len(part) == len(sizes)
    assert [len(batch.boxes) for batch in part.batches(0)] == sizes


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_together_are_the_whole(tiles: TileSet, parts: int) -> None:
    whole = list(loader(tiles).batches(1))[:5]  # the sixth is a rest of two tiles, which four cannot share
    dealt = [list(loader(tiles, part=part, parts=parts).batches(1)) for part in range(parts)]
    assert [len(one) for one in dealt] == [6 if parts == 2 else 5] * parts
    together = [part for batch in zip(*(one[:5] for one in dealt), strict=True) for part in batch]
    assert_same(whole, together)


def test_no_tile_is_no_batch(tiles: TileSet) -> None:
    empty = loader(tiles, indices=())
    assert len(empty) == 0
    assert list(empty.batches(0)) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_in_a_thread_reaches_the_loop(tmp_path: Path, workers: int) -> None:
    own = read_tiles(make_yolo(tmp_path, {f"{i:02}": "" for i in range(12)}))[0]
    own.tiles[7].path.unlink()
    with pytest.raises(DatasetError, match=r"07\.png changed or vanished"):
        list(loader(own, workers=workers).batches(0))
    assert tile_threads() == []


def test_closing_the_iterator_ends_its_threads(tiles: TileSet) -> None:
    batches = loader(tiles, workers=3).batches(0)
    next(batches)
    assert tile_threads()
    batches.close()  # type: ignore[attr-defined]
    assert tile_threads() == []


def tile_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("tiles")]
