"""Folds of the accuracy benchmark: no group on two sides, nothing twice, the same whatever the order of files."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from app.dataset.split import Split
from app.dataset.tiles import LabelledTile, TileSet
from benchmarks.accuracy_folds import make_folds
from benchmarks.peer_accuracy import write_fold


def tile(name: str, group: str, boxes: int) -> LabelledTile:
    return LabelledTile(
        path=Path("/data") / name,
        height_px=64,
        width_px=128,
        boxes_xyxy_px=np.tile(np.array([[10, 20, 30, 60]], dtype=np.float32), (boxes, 1)),
        labels=np.zeros(boxes, dtype=np.int64),
        group=group,
    )


def tiles() -> TileSet:
    rng = np.random.default_rng(1)
    made = [tile(f"m{m}_{i}.png", f"minute:{m}", 1) for m in range(14) for i in range(rng.integers(1, 9))]
    made += [tile(f"s{s}_{i}.png", f"scene:{s}", 0) for s in range(6) for i in range(rng.integers(3, 9))]
    return TileSet(root=Path("/data"), class_names=("target",), tiles=tuple(made))


def test_every_tile_is_on_one_side_and_no_group_on_two() -> None:
    made = tiles()
    folds = make_folds(made, 3)
    sides = [folds.aside, *folds.parts]
    assert sorted(i for side in sides for i in side) == list(range(len(made)))
    groups = [{made.tiles[i].group for i in side} for side in sides]
    assert sum(len(g) for g in groups) == len(set().union(*groups))
    for fold in range(3):
        split = folds.split(fold)
        assert not set(split.train) & (set(split.val) | set(folds.aside))
    assert set(folds.last_split().train) == set().union(*map(set, folds.parts))


def test_each_side_has_targets_and_backgrounds() -> None:
    made = tiles()
    folds = make_folds(made, 3)
    for side in (folds.aside, *folds.parts):
        kinds = {len(made.tiles[i].labels) > 0 for i in side}
        assert kinds == {True, False}


def test_order_of_the_files_does_not_matter() -> None:
    made = tiles()
    turned = made.subset(range(len(made))[::-1])
    for one, other in zip(make_folds(made, 3).parts, make_folds(turned, 3).parts, strict=True):
        assert {made.name(i) for i in one} == {turned.name(i) for i in other}


def test_peer_gets_boxes_in_parts_of_the_tile_and_no_scored_labels(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"picture")
    pair = tuple(replace(tile(n, n, 1), path=tmp_path / n) for n in ("a.png", "b.png"))
    here = TileSet(root=tmp_path, class_names=("target",), tiles=pair)
    write_fold(here, Split(train=(0,), val=(1,)), tmp_path / "fold")
    label = (tmp_path / "fold" / "labels" / "train" / "a.txt").read_text().split()
    assert label == ["0", "0.156250", "0.625000", "0.156250", "0.625000"]
    assert (tmp_path / "fold" / "scored" / "b.png").is_file()
    assert not list((tmp_path / "fold" / "labels").rglob("b.txt"))
    assert "  0: target" in (tmp_path / "fold" / "data.yaml").read_text()
