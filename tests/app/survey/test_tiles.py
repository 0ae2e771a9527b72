"""Tiles cover everything, overlap, and know where they lie."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sonar.waterfall import Side
from app.survey.strip import Strip
from app.survey.tiles import FILL, Tile, TileCutter, across_tiles
from tests.app.survey.runtimes import detections


def strip(first: int, rows: int, width: int = 100) -> Strip:
    """Starboard rows whose grey is the row number plus one, modulo 200."""
    grey = ((np.arange(first, first + rows) % 200) + 1).astype(np.uint8)
    return Strip(
        images={Side.STARBOARD: np.repeat(grey[:, None], width, axis=1)},
        ping_edges=np.arange(first, first + rows + 1) - 0.5,
        pixel_m=0.1,
    )


def cut(lengths: list[int], *, tile_px: int = 128, overlap_px: int = 32) -> list[Tile]:
    """All tiles of strips of these lengths."""
    cutter = TileCutter(tile_px=tile_px, widest_px=128, overlap_px=overlap_px, coarse=False)
    tiles, first = [], 0
    for length in lengths:
        tiles += cutter.push(strip(first, length))
        first += length
    return tiles + cutter.finish()


@given(
    width=st.integers(1, 5000),
    widest=st.sampled_from([64, 128, 640, 1024]),
    overlap=st.integers(0, 32),
)
def test_tiles_across_cover_the_side(width: int, widest: int, overlap: int) -> None:
    tile_px, lefts = across_tiles(width, widest, overlap)
    assert tile_px % 32 == 0
    assert tile_px <= widest
    assert lefts[0] == 0
    assert lefts[-1] + tile_px >= width
    for left, following in pairwise(lefts):
        assert left + tile_px - following >= overlap


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_tiles_along_cover_every_row_once_or_overlapping(lengths: list[int]) -> None:
    tiles = cut(lengths)
    pings = sorted((t.ping_edges[0], t.ping_edges[-1]) for t in tiles)
    assert pings[0][0] == -0.5
    assert pings[-1][1] == sum(lengths) - 0.5
    for (_, end), (start, _) in pairwise(pings):
        assert end - start == 32


@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_rows_of_a_tile_are_the_rows_it_says(lengths: list[int]) -> None:
    for tile in cut(lengths):
        rows = len(tile.ping_edges) - 1
        pings = np.round(tile.ping_edges[:-1] + 0.5).astype(int)
        assert np.array_equal(tile.image_HW[:rows, 0], pings % 200 + 1)
        assert (tile.image_HW[rows:] == FILL).all()
        assert (tile.image_HW[:, 100:] == FILL).all()
        assert tile.image_HW.shape[0] % 32 == tile.image_HW.shape[1] % 32 == 0


def test_only_the_ends_of_the_recording_are_no_cuts() -> None:
    tiles = cut([300])
    assert [(t.inner_start, t.inner_end) for t in tiles] == [(False, True), (True, True), (True, False)]


def test_boxes_go_back_to_pings_and_metres() -> None:
    tile = cut([300])[1]
    assert tile.ping_edges[0] == 95.5
    (box,) = tile.seabed_boxes(detections([[10, 20, 30, 60]], [0.7], [1]))
    assert (box.start_ping, box.end_ping) == (115.5, 155.5)
    assert (box.near_m, box.far_m) == (pytest.approx(1.0), pytest.approx(3.0))
    assert (box.label, box.side, box.cut) == (1, Side.STARBOARD, False)


def test_boxes_at_inner_edges_are_cut_and_boxes_in_the_fill_are_dropped() -> None:
    first, middle, _ = cut([300])
    inner = list(middle.seabed_boxes(detections([[10, 0, 30, 128]], [0.7], [0])))
    assert (inner[0].cut_start, inner[0].cut_end) == (True, True)
    outer = list(first.seabed_boxes(detections([[0, 0, 100, 20]], [0.7], [0])))
    assert not outer[0].cut
    assert list(first.seabed_boxes(detections([[105, 10, 120, 20]], [0.7], [0]))) == []


def test_safe_ping_is_where_the_next_tile_begins() -> None:
    cutter = TileCutter(tile_px=128, widest_px=128, overlap_px=32, coarse=False)
    tiles = cutter.push(strip(0, 300))
    assert [t.ping_edges[0] for t in tiles] == [-0.5, 95.5]
    assert cutter.safe_ping == 191.5


def test_a_side_without_data_makes_no_tiles() -> None:
    cutter = TileCutter(tile_px=128, widest_px=128, overlap_px=32, coarse=False)
    dark = strip(0, 100)
    dark.images[Side.STARBOARD][:] = 0
    cutter.push(dark)
    assert cutter.finish() == []


@given(rows=st.integers(1, 500), width=st.integers(1, 300), factor=st.integers(2, 5))
def test_a_shrunk_strip_covers_the_same_seabed(rows: int, width: int, factor: int) -> None:
    small = strip(0, rows, width).shrunk(factor)
    assert (small.ping_edges[0], small.ping_edges[-1]) == (-0.5, rows - 0.5)
    assert small.rows == len(small.images[Side.STARBOARD])
    assert width * 0.1 <= small.width_px * small.pixel_m + 1e-9 < (width + factor) * 0.1
