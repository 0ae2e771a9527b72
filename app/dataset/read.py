"""Labelled tiles from a folder in any format we know, checked as a whole before anything is trained."""

import hashlib
from pathlib import Path

from app.dataset.defects import Defects
from app.dataset.formats.coco import find_coco, read_coco
from app.dataset.formats.voc import find_voc, read_voc
from app.dataset.formats.yolo import looks_like_yolo, read_yolo
from app.dataset.groups import assign_groups
from app.dataset.tiles import TileSet
from app.errors import DatasetError


def read_tiles(root: Path, *, skip_bad: bool = False) -> tuple[TileSet, tuple[str, ...]]:
    """Read a labelled folder.

    Args:
        root: a YOLO, COCO or Pascal VOC folder.
        skip_bad: go on without the files that have a defect.

    Returns:
        The tiles with their groups, and a line for each file left out (none without `skip_bad`).

    Raises:
        DatasetError: no such folder, no known format, nothing usable, or (without `skip_bad`) any defect;
            all defects at once in `defects`.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; --data takes a folder in YOLO, COCO or Pascal VOC form")
    defects = Defects(root)
    if files := find_coco(root):
        tiles = read_coco(root, files, defects)
    elif files := find_voc(root):
        tiles = read_voc(root, files, defects)
    elif looks_like_yolo(root):
        tiles = read_yolo(root, defects)
    else:
        raise DatasetError(
            f"{root} holds no labelled tiles: no COCO .json, no Pascal VOC .xml, no YOLO .txt; "
            "label your images, or cut tiles from surveys with python -m app import"
        )
    if not skip_bad:
        defects.raise_if_any()
    if not len(tiles):
        raise DatasetError(
            f"{root} has no usable tile ({len(defects.lines)} defects); see --help of import for the forms"
        )
    return assign_groups(tiles), tuple(defects.lines)


def tileset_hash(tiles: TileSet) -> str:
    """Hex digest of names, file contents, boxes and classes; the same wherever the folder lies."""
    digest = hashlib.sha256("\n".join(tiles.class_names).encode())
    for tile in sorted(tiles.tiles, key=lambda t: t.path.as_posix()):
        name = (
            tile.path.relative_to(tiles.root).as_posix()
            if tile.path.is_relative_to(tiles.root)
            else tile.path.name
        )
        digest.update(name.encode())
        digest.update(tile.path.read_bytes())
        digest.update(tile.boxes_xyxy_px.tobytes())
        digest.update(tile.labels.tobytes())
    return digest.hexdigest()
