"""Labelled tiles from a folder in any format we know, checked as a whole before anything is trained."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.dataset.defects import Defects
from app.dataset.formats.coco import find_coco, read_coco
from app.dataset.formats.voc import find_voc, read_voc
from app.dataset.formats.yolo import looks_like_yolo, read_yolo
from app.dataset.geometry import read_geometry
from app.dataset.groups import assign_groups
from app.dataset.tiles import LabelledTile, TileSet
from app.errors import DatasetError
from app.storage import sha256_file


def read_tiles(
    root: Path, *, skip_bad: bool = False, missing_is_background: bool = False
) -> tuple[TileSet, tuple[str, ...]]:
    """Read a labelled folder; `TileSet.format` says in which form it was found.

    Args:
        root: a YOLO, COCO or Pascal VOC folder.
        skip_bad: go on without the files that have a defect.
        missing_is_background: in a YOLO folder, take images without a label file as background.

    Returns:
        The tiles with their groups, and a line for each defect left out (none without `skip_bad`).

    Raises:
        DatasetError: no such folder, no known format, nothing usable, or (without `skip_bad`) any defect;
            all defects at once in `defects`.
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; --data takes a folder in YOLO, COCO or Pascal VOC form")
    defects = Defects(root)
    tiles = _read_any(root, defects, missing_is_background=missing_is_background)
    if not skip_bad:
        defects.raise_if_any()
    if not len(tiles):
        raise DatasetError(
            f"{root} has no usable tile ({len(defects.lines)} defects); mend it, or give another folder",
            tuple(defects.lines),
        )
    return assign_groups(_placed(tiles)), tuple(defects.lines)


def _placed(tiles: TileSet) -> TileSet:
    """With the places of the tiles beside their tracks, where the folder tells them."""
    known = read_geometry(tiles.root)
    if not known:
        return tiles
    named = (replace(tile, geometry=known.get(tiles.name(i))) for i, tile in enumerate(tiles.tiles))
    return replace(tiles, tiles=tuple(named))


def _read_any(root: Path, defects: Defects, *, missing_is_background: bool) -> TileSet:
    if coco_files := find_coco(root):
        return read_coco(root, coco_files, defects)
    if voc_files := find_voc(root):
        return read_voc(root, voc_files, defects)
    if looks_like_yolo(root):
        return read_yolo(root, defects, missing_is_background=missing_is_background)
    raise DatasetError(
        f"{root} holds no labelled tiles: no COCO .json, no Pascal VOC .xml, no YOLO .txt; "
        "label your images, or cut tiles from surveys with python -m app import"
    )


def tileset_hash(tiles: TileSet) -> str:
    """Hex digest of names, file contents, boxes and classes; the same wherever the folder lies.

    Raises:
        DatasetError: a file vanished.
    """
    digest = hashlib.sha256("\n".join(tiles.class_names).encode())
    order = sorted(range(len(tiles)), key=tiles.name)
    with ThreadPoolExecutor(thread_name_prefix="hash") as pool:
        contents = pool.map(lambda index: _content(tiles.tiles[index]), order)
        for index, content in zip(order, contents, strict=True):
            digest.update(f"\n{tiles.name(index)} {content}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _content(tile: LabelledTile) -> str:
    try:
        pixels = sha256_file(tile.path)
    except OSError as error:
        raise DatasetError(f"{tile.path} vanished during the run; restore the data set") from error
    labels = hashlib.sha256(tile.boxes_xyxy_px.tobytes() + tile.labels.tobytes())
    return f"{pixels} {labels.hexdigest()}"
