"""COCO and Pascal VOC, in and out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dataset.formats.coco import write_coco
from app.dataset.formats.voc import write_voc
from app.dataset.formats.yolo_writer import write_yolo
from app.dataset.read import read_tiles
from app.dataset.tiles import TileSet
from app.errors import DatasetError
from tests.app.dataset.made_sets import make_yolo, write_picture


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    labels = {"1_1": "0 .5 .5 .2 .2\n1 .3 .4 .1 .1", "1_2": "", "2_9": "1 .6 .6 .25 .5"}
    return read_tiles(make_yolo(tmp_path / "in", labels, ["plane", "ship"]))[0]


@pytest.mark.parametrize(("write", "form"), [(write_coco, "COCO"), (write_voc, "Pascal VOC")])
def test_written_set_reads_back(tiles: TileSet, write: Any, form: str, tmp_path: Path) -> None:
    write(tiles, tmp_path / "out")
    back, left_out = read_tiles(tmp_path / "out")
    assert back.format == form
    assert left_out == ()
    assert back.class_names == ("plane", "ship")
    for ours, theirs in zip(tiles.tiles, back.tiles, strict=True):
        np.testing.assert_allclose(theirs.boxes_xyxy_px, ours.boxes_xyxy_px, atol=2e-3)
        np.testing.assert_array_equal(theirs.labels, ours.labels)
        assert theirs.group == ours.group


@pytest.mark.parametrize("write", [write_coco, write_voc, write_yolo])
def test_an_image_that_vanished_leaves_nothing_written(tiles: TileSet, write: Any, tmp_path: Path) -> None:
    tiles.tiles[2].path.unlink()
    with pytest.raises(DatasetError, match=r"2_9\.png can no longer be read"):
        write(tiles, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_pycocotools_of_faster_coco_eval_reads_ours(tiles: TileSet, tmp_path: Path) -> None:
    from faster_coco_eval import COCO

    write_coco(tiles, tmp_path / "out")
    coco = COCO(str(tmp_path / "out" / "annotations.json"))
    assert len(coco.getImgIds()) == 3
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["plane", "ship"]
    assert len(coco.getAnnIds()) == 3


def coco_set(root: Path, **changes: Any) -> Path:
    write_picture(root / "images" / "a.png", 1)
    annotation = {"id": 5, "image_id": 1, "category_id": 7, "bbox": [4, 4, 10, 8]}
    content: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [annotation | changes.pop("annotation", {})],
        "categories": [{"id": 7, "name": "ship"}, {"id": 3, "name": "plane"}],
    }
    (root / "instances.json").write_text(json.dumps(content | changes))
    return root


def test_category_numbers_need_not_be_consecutive(tmp_path: Path) -> None:
    tiles, _ = read_tiles(coco_set(tmp_path))
    assert tiles.class_names == ("plane", "ship")
    assert tiles.tiles[0].labels.tolist() == [1]
    assert tiles.tiles[0].boxes_xyxy_px.tolist() == [[4, 4, 14, 12]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotation": {"category_id": 9}}, "unknown class"),
        ({"annotation": {"bbox": [4, 4, 10]}}, "annotation 5 has no bbox of four numbers"),
        ({"annotation": {"bbox": [60, 4, 10, 8]}}, "box outside the image"),
        ({"annotation": {"bbox": [4, 4, 0, 8]}}, "box without area"),
        ({"annotation": {"bbox": [float("nan"), 4, 1, 8]}}, "coordinate not a number"),
        ({"annotation": {"image_id": 2}}, "image 2, which is not listed"),
        ({"images": [{"id": 1, "file_name": "b.png"}]}, r"labels without image, b\.png"),
        ({"images": [{"id": 1, "file_name": "../../etc/a.png"}]}, "labels without image"),
        ({"images": "none"}, "'images' must be a list of objects"),
    ],
)
def test_coco_defects(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_tiles(coco_set(tmp_path, **changes))


def test_two_files_must_agree_on_categories(tmp_path: Path) -> None:
    coco_set(tmp_path)
    other = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "rock"}]}
    (tmp_path / "more.json").write_text(json.dumps(other))
    with pytest.raises(DatasetError, match="give the files one list of categories"):
        read_tiles(tmp_path)


def test_an_image_that_two_files_list_is_told_and_not_taken_twice(tmp_path: Path) -> None:
    """Each would teach that the other's objects are not there."""
    coco_set(tmp_path)
    other = json.loads((tmp_path / "instances.json").read_text())
    other["annotations"][0] |= {"category_id": 3, "bbox": [30, 4, 10, 8]}
    (tmp_path / "planes.json").write_text(json.dumps(other))
    with pytest.raises(DatasetError, match="2 x image listed more than once") as raised:
        read_tiles(tmp_path)
    assert raised.value.defects == tuple(
        f"images/a.png: image listed more than once, in {name}.json" for name in ("instances", "planes")
    )


def test_copies_that_an_editor_hides_are_left_out(tmp_path: Path) -> None:
    listing = coco_set(tmp_path) / "instances.json"
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "instances-checkpoint.json").write_bytes(listing.read_bytes())
    assert len(read_tiles(tmp_path)[0]) == 1


def test_a_mark_of_byte_order_does_not_hide_a_file(tmp_path: Path) -> None:
    listing = coco_set(tmp_path) / "instances.json"
    listing.write_bytes(b"\xef\xbb\xbf" + listing.read_bytes())
    assert read_tiles(tmp_path)[0].format == "COCO"


def voc_set(root: Path, box: str, image: bool = True) -> Path:
    if image:
        write_picture(root / "JPEGImages" / "a.png", 1)
    (root / "Annotations").mkdir(parents=True)
    entry = f"<object><name>ship</name><bndbox>{box}</bndbox></object>"
    (root / "Annotations" / "a.xml").write_text(f"<annotation>{entry}</annotation>")
    return root


def test_voc_corners_are_one_based_and_inclusive(tmp_path: Path) -> None:
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>64</xmax><ymax>48</ymax>"
    tiles, _ = read_tiles(voc_set(tmp_path, box))
    assert tiles.tiles[0].boxes_xyxy_px.tolist() == [[0, 0, 64, 48]]
    assert tiles.class_names == ("ship",)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>", "malformed label, object 1"),
        ("<xmin>a</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>", "malformed label, object 1"),
        ("<xmin>nan</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>", "coordinate not a number"),
        ("<xmin>1</xmin>", "malformed label"),
        ("<xmin>", "is not XML"),
    ],
)
def test_voc_defects(tmp_path: Path, box: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_tiles(voc_set(tmp_path, box))


@pytest.mark.parametrize("character_set", ["klingon", "gb2312"])
def test_voc_in_a_character_set_that_python_lacks(tmp_path: Path, character_set: str) -> None:
    voc_set(tmp_path, "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>")
    file = tmp_path / "Annotations" / "a.xml"
    file.write_text(f'<?xml version="1.0" encoding="{character_set}"?>' + file.read_text())
    with pytest.raises(DatasetError, match=r"a\.xml: malformed label, is not XML"):
        read_tiles(tmp_path)


def test_voc_object_without_a_name(tmp_path: Path) -> None:
    voc_set(tmp_path, "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>")
    file = tmp_path / "Annotations" / "a.xml"
    file.write_text(file.read_text().replace("ship", " "))
    with pytest.raises(DatasetError, match="object 1: no name or no bndbox"):
        read_tiles(tmp_path)


def test_voc_annotation_and_image_without_each_other(tmp_path: Path) -> None:
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
    voc_set(tmp_path, box, image=False)
    write_picture(tmp_path / "JPEGImages" / "b.png", 2)
    with pytest.raises(DatasetError) as raised:
        read_tiles(tmp_path)
    assert sorted(raised.value.defects) == [
        "Annotations/a.xml: labels without image",
        "JPEGImages/b.png: missing label file, an annotation without objects means background",
    ]
