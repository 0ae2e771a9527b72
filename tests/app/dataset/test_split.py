"""Splits by group: balanced, repeatable, without leaks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dataset.split import Split, split_by_group
from app.dataset.split_report import split_report
from app.dataset.tiles import TileSet
from app.errors import DatasetError
from tests.app.dataset.made_sets import bare_tiles


def grouped(groups: list[int], boxes: list[list[int]] | None = None, classes: int = 1) -> TileSet:
    tiles = bare_tiles([f"{i}.png" for i in range(len(groups))], boxes=boxes, classes=classes)
    return replace(
        tiles, tiles=tuple(replace(t, group=f"g{g}") for t, g in zip(tiles.tiles, groups, strict=True))
    )


@given(
    st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 2), max_size=3)), min_size=2, max_size=40),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=60)
def test_every_tile_is_on_one_side_and_no_group_on_both(
    rows: list[tuple[int, list[int]]], fraction: float, seed: int
) -> None:
    groups = [g for g, _ in rows]
    groups[0], groups[1] = 0, 1
    tiles = grouped(groups, [b for _, b in rows], classes=3)
    split = split_by_group(tiles, val_fraction=fraction, seed=seed)
    assert split.train
    assert split.val
    assert sorted(split.train + split.val) == list(range(len(tiles)))
    assert {groups[i] for i in split.train}.isdisjoint(groups[i] for i in split.val)
    assert split == split_by_group(tiles, val_fraction=fraction, seed=seed)


def test_classes_and_backgrounds_are_shared_out_evenly() -> None:
    rng = np.random.default_rng(1)
    groups = [int(g) for g in rng.integers(0, 40, 200)]
    boxes = [[[0], [1], [], [0, 0]][g % 4] for g in groups]
    report = split_report(tiles := grouped(groups, boxes, classes=2), split_by_group(tiles))
    for name in ("class0", "class1"):
        share = report.val.boxes[name] / (report.val.boxes[name] + report.train.boxes[name])
        assert 0.17 < share < 0.23
    assert 0.17 < report.val.backgrounds / (report.val.backgrounds + report.train.backgrounds) < 0.23


def test_another_seed_is_another_split() -> None:
    tiles = grouped(list(range(30)))
    assert split_by_group(tiles, seed=0) != split_by_group(tiles, seed=1)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DatasetError, match=r"is one group \(g4\): a split would leak"):
        split_by_group(grouped([4, 4, 4]))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, 20.0])
def test_fraction_outside(fraction: float) -> None:
    with pytest.raises(DatasetError, match=r"must lie between 0 and 1; try 0\.2"):
        split_by_group(grouped([0, 1]), val_fraction=fraction)


def test_names_bring_the_split_to_another_machine() -> None:
    tiles = grouped([0, 1, 2, 3, 4])
    split = split_by_group(tiles)
    moved = replace(
        tiles,
        root=Path("/elsewhere"),
        tiles=tuple(reversed([replace(t, path=Path("/elsewhere") / t.path.name) for t in tiles.tiles])),
    )
    back = Split.from_names(split.as_names(tiles), moved)
    assert [moved.name(i) for i in back.val] == sorted((tiles.name(i) for i in split.val), reverse=True)


def test_a_stored_split_of_other_data_is_refused() -> None:
    names = {"train": ["0.png", "gone.png"], "val": ["1.png"]}
    with pytest.raises(DatasetError, match=r"lacks 1 tiles of the stored split, such as gone\.png"):
        Split.from_names(names, grouped([0, 1]))


def test_the_report_shows_a_leak() -> None:
    """A split made by hand with a group on both sides and one picture in both parts."""
    tiles = grouped([0, 0, 1])
    same, other = bytes(range(32)), bytes(32 * [170])
    prints = (same, same, other)
    tiles = replace(
        tiles, tiles=tuple(replace(t, fingerprint=p) for t, p in zip(tiles.tiles, prints, strict=True))
    )
    report = split_report(tiles, Split(train=(0, 2), val=(1,)))
    assert report.groups_on_both_sides == ("g0",)
    assert report.nearest_bits == 0
    assert report.nearest_pair == ("0.png", "1.png")
    assert "groups on both sides: g0" in report.as_text()
    assert report.as_dict()["train"]["groups"] == ("g0", "g1")
