"""What is held together: by name, by list, by look."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.dataset.groups import assign_groups, fingerprints, near_pairs
from app.dataset.images import perceptual_hash
from app.dataset.read import read_tiles
from app.dataset.split import split_by_group
from app.dataset.split_report import split_report
from app.errors import DatasetError
from tests.app.dataset.made_sets import bare_tiles, make_yolo, picture


def groups_of(*names: str) -> list[str]:
    return [t.group for t in assign_groups(bare_tiles(list(names))).tiles]


def test_recording_minute_holds_both_frequencies_and_sides() -> None:
    groups = groups_of(
        "left_20240430034600L_sample_2_tile_12.png",
        "right_20240430034659H_sample_3_tile_1.png",
        "left_20240430034700L_sample_2_tile_12.png",
    )
    assert groups == ["minute:202404300346", "minute:202404300346", "minute:202404300347"]


def test_both_frequencies_of_one_pass_stay_together_across_a_minute() -> None:
    groups = groups_of(
        "left_20240430034659L_sample_2_tile_12.png",
        "left_20240430034700H_sample_2_tile_12.png",
        "left_20240430034900H_sample_2_tile_12.png",
    )
    assert groups[0] == groups[1] != groups[2]


def test_scene_number_of_tiles_without_a_stamp() -> None:
    assert groups_of("1_129.png", "1_3.png", "2_3.png") == ["scene:1", "scene:1", "scene:2"]


def test_survey_line_in_the_name() -> None:
    assert groups_of("wreck_line03_12.png", "wreck_line03_99.png", "wreck_Line4_1.png") == [
        "line:wreck_line03",
        "line:wreck_line03",
        "line:wreck_Line4",
    ]


def test_folders_by_year_count_only_where_there_are_several() -> None:
    several = groups_of("2010/0001_2010.jpg", "2010/0002_2010.jpg", "2015/0001_2015.jpg")
    assert several == ["year:2010", "year:2010", "year:2015"]
    assert len(set(groups_of("2010/0001_2010.jpg", "2010/0002_2010.jpg"))) == 2


def test_digits_that_are_no_time_are_no_time() -> None:
    assert groups_of("a_20249999999999L_x.png", "b_1234.png")[1] == "alike:b_1234.png"


def test_listed_copies_beside_the_data_or_one_folder_up(tmp_path: Path) -> None:
    make_yolo(tmp_path / "train", {"a": "", "b": "", "c": ""})
    make_yolo(tmp_path / "valid", {"x": ""})
    listing = "1\ttrain/images/a.png\n1\ttrain/images/c.png\n2\tvalid/images/x.png\n"
    (tmp_path / "near_duplicate_groups.tsv").write_text(listing)
    for root in (tmp_path, tmp_path / "train"):
        groups = [t.group for t in read_tiles(root)[0].tiles]
        assert groups[0] == groups[2] != groups[1]


@pytest.mark.parametrize("change", ["compression", "half size", "gain", "noise"])
def test_copies_are_found_by_their_look(change: str) -> None:
    image = picture(3, 256, 256)
    copy = {
        "compression": cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0),
        "half size": cv2.resize(image, (128, 128), interpolation=cv2.INTER_AREA),
        "gain": cv2.convertScaleAbs(image, alpha=0.6, beta=20),
        "noise": cv2.add(image, np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)),
    }[change]
    hashes = [perceptual_hash(i) for i in (image, copy, picture(4, 256, 256))]
    tiles = bare_tiles(["a.png", "b.png", "c.png"])
    hashed = replace(
        tiles, tiles=tuple(replace(t, fingerprint=h) for t, h in zip(tiles.tiles, hashes, strict=True))
    )
    groups = [t.group for t in assign_groups(hashed).tiles]
    assert groups[0] == groups[1] != groups[2]


def test_a_mark_of_byte_order_takes_no_tile_out_of_its_group(tmp_path: Path) -> None:
    """As Windows' editor writes it: the first tile of the list would lie on the other side of a split."""
    make_yolo(tmp_path, {"a": "", "b": ""})
    listing = tmp_path / "groups.tsv"
    listing.write_bytes(b"\xef\xbb\xbfday 1\timages/a.png\r\nday 1\timages/b.png\r\n")
    assert [t.group for t in read_tiles(tmp_path)[0].tiles] == ["day 1", "day 1"]
    listing.write_bytes("R\u00f6hre\timages/a.png".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"groups\.tsv is no text in UTF-8"):
        read_tiles(tmp_path)


def test_even_images_join_nothing() -> None:
    assert perceptual_hash(np.full((64, 64), 30, np.uint8)) == b""
    assert list(near_pairs(fingerprints(bare_tiles(["a.png", "b.png"])))) == []


def test_many_tiles_that_are_all_alike_need_no_room_for_their_pairs() -> None:
    tiles = bare_tiles([f"t{number}x.png" for number in range(500)])
    alike = replace(tiles, tiles=tuple(replace(tile, fingerprint=bytes([85] * 32)) for tile in tiles.tiles))
    tracemalloc.start()
    try:
        grouped = assign_groups(alike)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len({tile.group for tile in grouped.tiles}) == 1
    assert peak_bytes < 4e6  # 124,750 pairs of 72 bytes and more


def test_what_is_joined_twice_is_one_group(tmp_path: Path) -> None:
    """Scene 1 and scene 2 share a near copy: all four tiles belong together."""
    root = make_yolo(tmp_path, {"1_1": "", "1_2": "", "2_1": "", "2_2": ""})
    copied = cv2.imread(str(root / "images" / "1_2.png"), cv2.IMREAD_GRAYSCALE)
    assert cv2.imwrite(str(root / "images" / "2_1.png"), cv2.convertScaleAbs(copied, alpha=0.9))
    assert {t.group for t in read_tiles(root)[0].tiles} == {"scene:1"}


def test_shared_tiles_do_not_leak(real_data: Path) -> None:
    """Minutes, scenes and the listed near copies of the real sets each stay on one side, for any seed."""
    tiles, left_out = read_tiles(real_data / "sdvd")
    assert (len(tiles), sum(len(t.labels) for t in tiles.tiles), left_out) == (194, 126, ())
    assert sum(not len(t.labels) for t in tiles.tiles) == 72
    minute = [
        t.path.stem.split("_")[1][:12] if "sample" in t.path.stem else t.path.stem[0] for t in tiles.tiles
    ]
    for seed in range(3):
        split = split_by_group(tiles, seed=seed)
        assert {minute[i] for i in split.train}.isdisjoint({minute[i] for i in split.val})
        report = split_report(tiles, split)
        assert report.groups_on_both_sides == ()
        assert 20 <= report.val.boxes["target"] <= 30
        assert 10 <= report.val.backgrounds <= 19


@pytest.mark.slow
def test_listed_near_copies_of_the_wrecks_stay_together(real_data: Path) -> None:
    tiles, _ = read_tiles(real_data / "wrecks")
    assert len(tiles) == 521
    assert sum(len(t.labels) for t in tiles.tiles) == 561
    group_of = {tiles.name(i): t.group for i, t in enumerate(tiles.tiles)}
    listed: dict[str, set[str]] = {}
    for line in (real_data / "wrecks" / "near_duplicate_groups.tsv").read_text().splitlines():
        number, path = line.split("\t")
        if path in group_of:
            listed.setdefault(number, set()).add(group_of[path])
    assert listed
    assert all(len(groups) == 1 for groups in listed.values())
    assert max(np.unique([t.group for t in tiles.tiles], return_counts=True)[1]) < 20
