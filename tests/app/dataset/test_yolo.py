"""YOLO in its layouts, out, and back."""

from pathlib import Path

import numpy as np
import pytest

from app.dataset.formats.yolo_writer import write_yolo, write_yolo_tiles
from app.dataset.images import read_grey
from app.dataset.read import read_tiles
from app.errors import DatasetError, OutputError
from tests.app.dataset.made_sets import make_yolo, picture, write_picture


def test_boxes_come_in_pixels_and_empty_files_are_background(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "0 0.5 0.5 0.25 0.5\n\n", "b": ""})
    tiles, left_out = read_tiles(tmp_path)
    assert left_out == ()
    assert tiles.format == "YOLO"
    assert tiles.class_names == ("target",)
    assert tiles.tiles[0].boxes_xyxy_px.tolist() == [[24, 12, 40, 36]]
    assert (tiles.tiles[0].height_px, tiles.tiles[0].width_px) == (48, 64)
    assert tiles.tiles[1].boxes_xyxy_px.shape == (0, 4)
    assert tiles.tiles[1].labels.shape == (0,)


def test_roboflow_parts_with_names_from_data_yaml(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "valid", "test")):
        write_picture(tmp_path / part / "images" / "000001_jpg.rf.ab.jpg", seed)
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels" / "000001_jpg.rf.ab.txt").write_text(f"{seed} .5 .5 .2 .2")
    (tmp_path / "data.yaml").write_text("train: ./train/images\nnc: 3\nnames: {0: ball, 1: ship, 2: plane}\n")
    (tmp_path / "README.roboflow.txt").write_text("not labels")
    tiles, _ = read_tiles(tmp_path)
    assert tiles.class_names == ("ball", "ship", "plane")
    assert [tiles.name(i).split("/")[0] for i in range(3)] == ["test", "train", "valid"]
    assert sorted(int(t.labels[0]) for t in tiles.tiles) == [0, 1, 2]


def test_text_files_beside_images_in_folders_by_year(tmp_path: Path) -> None:
    for seed, year in enumerate(("2010", "2015")):
        for number in range(2):
            write_picture(tmp_path / year / f"{number:04d}_{year}.jpg", 10 * seed + number)
            (tmp_path / year / f"{number:04d}_{year}.txt").write_text("1 .5 .5 .1 .1" if number else "")
    (tmp_path / "classes.txt").write_text("MILCO\nNOMBO\n")
    tiles, _ = read_tiles(tmp_path)
    assert tiles.class_names == ("MILCO", "NOMBO")
    assert [t.group for t in tiles.tiles] == ["year:2010", "year:2010", "year:2015", "year:2015"]


def test_outlines_become_their_boxes(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "0 0.25 0.25 0.75 0.25 0.5 0.75"})
    tiles, _ = read_tiles(tmp_path)
    assert tiles.tiles[0].boxes_xyxy_px.tolist() == [[16, 12, 48, 36]]


def test_numbered_names_where_none_are_given(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "2 .5 .5 .2 .2"})
    assert read_tiles(tmp_path)[0].class_names == ("class0", "class1", "class2")


def test_images_without_file_can_be_declared_background(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "0 .5 .5 .2 .2"})
    write_picture(tmp_path / "images" / "b.png", 7)
    with pytest.raises(DatasetError, match="missing label file"):
        read_tiles(tmp_path)
    tiles, _ = read_tiles(tmp_path, missing_is_background=True)
    assert [len(t.labels) for t in tiles.tiles] == [1, 0]


def test_unreadable_data_yaml_is_named(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": ""})
    (tmp_path / "data.yaml").write_text("names: [a, b\n: -")
    with pytest.raises(DatasetError, match=r"data\.yaml is not readable YAML"):
        read_tiles(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("{1: mine, 2: rock}", r"data\.yaml numbers its names 1, 2; .* number them 0 to 1"),
        ("{mine: 0, rock: 1}", r"data\.yaml numbers its names mine, rock; "),
        ("[rock, mine, rock]", "names two classes 'rock'; give each class a name of its own"),
    ],
)
def test_names_that_do_not_tell_classes_apart_are_refused(tmp_path: Path, names: str, message: str) -> None:
    make_yolo(tmp_path, {"a": "1 .5 .5 .2 .2"})
    (tmp_path / "data.yaml").write_text(f"names: {names}")
    with pytest.raises(DatasetError, match=message):
        read_tiles(tmp_path)


def test_names_by_number_in_any_order(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "1 .5 .5 .2 .2"})
    (tmp_path / "data.yaml").write_text('names: {1: rock, "0": mine}')
    assert read_tiles(tmp_path)[0].class_names == ("mine", "rock")


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    """As Windows' editor writes it."""
    make_yolo(tmp_path, {"a": "1 .5 .5 .2 .2"})
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbftarget\r\nrock \r\n")
    assert read_tiles(tmp_path)[0].class_names == ("target", "rock")
    (tmp_path / "classes.txt").write_bytes("R\u00f6hre".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"classes\.txt is no text in UTF-8"):
        read_tiles(tmp_path)


def test_written_set_reads_back_with_its_groups(tmp_path: Path) -> None:
    source = make_yolo(
        tmp_path / "in", {"1_1": "0 .5 .5 .2 .2", "1_2": "1 .3 .3 .111 .2", "7_3": ""}, ["ship", "plane"]
    )
    tiles, _ = read_tiles(source)
    write_yolo(tiles, tmp_path / "out")
    back, _ = read_tiles(tmp_path / "out")
    assert back.class_names == tiles.class_names
    for ours, theirs in zip(tiles.tiles, back.tiles, strict=True):
        np.testing.assert_allclose(theirs.boxes_xyxy_px, ours.boxes_xyxy_px, atol=1e-3)
        np.testing.assert_array_equal(theirs.labels, ours.labels)
        assert theirs.group == ours.group
        assert theirs.path.read_bytes() == ours.path.read_bytes()


def test_same_file_name_in_two_parts_stays_two_tiles(tmp_path: Path) -> None:
    for seed, part in enumerate(("train", "valid")):
        make_yolo(tmp_path / "in" / part, {"a": f"0 .5 .5 .{seed + 2} .2"})
        write_picture(tmp_path / "in" / part / "images" / "a.png", seed)
    tiles, _ = read_tiles(tmp_path / "in")
    write_yolo(tiles, tmp_path / "out")
    back, _ = read_tiles(tmp_path / "out")
    assert len(back) == 2
    assert sorted(float(np.ptp(t.boxes_xyxy_px[0, ::2])) for t in back.tiles) == pytest.approx([12.8, 19.2])


def test_generated_tiles_stream_to_disk(tmp_path: Path) -> None:
    box = np.array([[4, 4, 20, 16]], np.float32)
    made = ((picture(seed), box, np.array([seed % 2])) for seed in range(3))
    assert write_yolo_tiles(made, tmp_path / "made", ("target", "ship")) == 3
    tiles, _ = read_tiles(tmp_path / "made")
    assert tiles.class_names == ("target", "ship")
    assert [int(t.labels[0]) for t in tiles.tiles] == [0, 1, 0]
    np.testing.assert_array_equal(read_grey(tiles.tiles[2].path), picture(2))
    np.testing.assert_allclose(tiles.tiles[0].boxes_xyxy_px, box, atol=1e-4)


def test_unwritable_output_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = ((picture(s), np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for s in range(2))
    with pytest.raises(OutputError, match="cannot write"):
        write_yolo_tiles(made, tmp_path / "file" / "out", ("target",))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
