"""All defects at once, each with its file; without them on request."""

from pathlib import Path

import numpy as np
import pytest

from app.dataset.read import read_tiles
from app.errors import DatasetError
from tests.app.dataset.made_sets import make_yolo, write_picture


def bad_set(root: Path) -> Path:
    good = "0 .5 .5 .2 .2\n"
    make_yolo(
        root,
        {
            "good": good,
            "outside": good + "0 .9 .5 .4 .2",
            "even": "0 .5 .5 0 .2",
            "negative": "0 .5 .5 -.2 .2",
            "unknown": "3 .5 .5 .2 .2",
            "words": "0 .5 .5 .2 wide\n" + good + "0 .5 .5 .2",
            "nan": "0 nan .5 .2 .2",
            "cut": good,
            "text": good,
            "empty": good,
            "fraction": "0.5 .5 .5 .2 .2",
            "binary": "",
        },
        ["target"],
    )
    cut = root / "images" / "cut.png"
    cut.write_bytes(cut.read_bytes()[:900])
    (root / "images" / "text.png").write_text("hello")
    (root / "images" / "empty.png").write_bytes(b"")
    (root / "labels" / "binary.txt").write_bytes(bytes(range(128, 256)))
    (root / "labels" / "stray.txt").write_text(good)
    write_picture(root / "images" / "unlabelled.png", 77)
    return root


def test_every_defect_is_listed_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as raised:
        read_tiles(bad_set(tmp_path))
    assert sorted(raised.value.defects) == [
        "images/cut.png: unreadable image",
        "images/empty.png: unreadable image",
        "images/text.png: unreadable image",
        "images/unlabelled.png: missing label file, unlabelled.txt; an empty one means background",
        "labels/binary.txt: malformed label, is no text",
        "labels/even.txt: box without area, line 1: (32.0, 19.2, 32.0, 28.8)",
        "labels/fraction.txt: malformed label, line 1: '0.5 .5 .5 .2 .2' is not 'class x y width height'",
        "labels/nan.txt: coordinate not a number, line 1",
        "labels/negative.txt: box without area, line 1: (38.4, 19.2, 25.6, 28.8)",
        "labels/outside.txt: box outside the image, line 2: (44.8, 19.2, 70.4, 28.8) in 64 x 48 pixels",
        "labels/stray.txt: labels without image",
        "labels/unknown.txt: unknown class, line 1: 3 (the set names 1, 0 to 0)",
        "labels/words.txt: malformed label, line 1: '0 .5 .5 .2 wide' is not 'class x y width height'",
        "labels/words.txt: malformed label, line 3: '0 .5 .5 .2' is not 'class x y width height'",
    ]


def test_the_message_is_one_line_with_counts_and_advice(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"14 defects \(.*3 x unreadable image.*\), such as .*--skip-bad"
    ) as e:
        read_tiles(bad_set(tmp_path))
    assert "\n" not in str(e.value)


def test_skip_bad_goes_on_with_the_good_ones(tmp_path: Path) -> None:
    tiles, left_out = read_tiles(bad_set(tmp_path), skip_bad=True)
    assert [t.path.name for t in tiles.tiles] == ["good.png"]
    assert len(left_out) == 14


def test_rounding_over_the_edge_is_clipped(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "0 .9 .5 .202 .2"})
    tiles, _ = read_tiles(tmp_path)
    assert float(tiles.tiles[0].boxes_xyxy_px[0, 2]) == 64


@pytest.mark.parametrize("content", [None, "images", "images and text"])
def test_a_folder_without_labels_says_what_it_lacks(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        write_picture(tmp_path / "a.png", 1)
    if content == "images and text":
        (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DatasetError, match=r"holds no labelled tiles: no COCO \.json"):
        read_tiles(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        read_tiles(tmp_path / "missing")


def test_nothing_usable(tmp_path: Path) -> None:
    make_yolo(tmp_path, {"a": "9 .5 .5 .2 .2"}, ["target"])
    with pytest.raises(DatasetError, match="has no usable tile"):
        read_tiles(tmp_path, skip_bad=True)


def test_any_text_as_label_file_is_read_or_refused(tmp_path: Path) -> None:
    """Random edits of a label file end as a tile or as a DatasetError, nothing else."""
    rng = np.random.default_rng(0)
    make_yolo(tmp_path, {"a": "0 .5 .5 .2 .2", "b": ""}, ["target"])
    path = tmp_path / "labels" / "a.txt"
    original = bytearray(b"0 0.512 0.431 0.2 0.2\n1 0.4 0.4 0.1 0.1\n")
    outcomes = set()
    for _ in range(300):
        data = bytearray(original)
        for position in rng.integers(len(data), size=3):
            data[position] = int(rng.choice(list(b"0123456789.e-+ n\n\x00\xff")))
        path.write_bytes(bytes(data))
        try:
            outcomes.add(len(read_tiles(tmp_path)[0]))
        except DatasetError:
            outcomes.add("refused")
    assert outcomes <= {2, "refused"}
    assert "refused" in outcomes
