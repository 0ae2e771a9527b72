"""Writing YOLO folders: images/, labels/, data.yaml, and the groups that keep a split honest."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from app.dataset.formats.naming import flat_names, tile_bytes, write_groups
from app.dataset.geometry import GEOMETRY, TileGeometry, geometry_text
from app.dataset.tiles import TileSet
from app.errors import OutputError
from app.storage import atomic_folder

GeneratedTile = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]
"""Image (H, W), boxes (N, 4) left top right bottom in pixels, and labels (N,)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedTile:
    """A tile that is not on disk yet."""

    name: str
    """File stem, unique in its set."""
    group: str
    """What a split must keep together; empty where only the look of the tile tells."""
    image_HW: NDArray[np.uint8]
    boxes_xyxy_px: NDArray[np.float32]
    labels: NDArray[np.int64]
    geometry: TileGeometry | None = None


def write_yolo(tiles: TileSet, out: Path) -> None:
    """Write a set as YOLO; images are copied as they are.

    Raises:
        OutputError: `out` holds tiles already, or cannot be written; nothing is left behind.
    """
    refuse_labelled(out)
    names = flat_names(tiles)
    with atomic_folder(out) as staging:
        _make_folders(staging)
        for tile, name in zip(tiles.tiles, names, strict=True):
            (staging / "images" / name).write_bytes(tile_bytes(tile))
            size_hw = (tile.height_px, tile.width_px)
            _write_labels(staging, name, tile.boxes_xyxy_px, tile.labels, size_hw)
        write_groups(staging, [(t.group, f"images/{n}") for t, n in zip(tiles.tiles, names, strict=True)])
        _write_geometry(
            staging, [(f"images/{n}", t.geometry) for t, n in zip(tiles.tiles, names, strict=True)]
        )
        _write_class_names(staging, tiles.class_names)


def refuse_labelled(out: Path) -> None:
    """Before tiles are written: class numbers, groups and places of two sets do not go together.

    Raises:
        OutputError: `out` holds tiles already.
    """
    there = [name for name in ("data.yaml", "images", "labels") if (out / name).exists()]
    if there:
        raise OutputError(f"{out} already holds labelled tiles ({', '.join(there)}); give another --out")


def write_yolo_tiles(tiles: Iterable[GeneratedTile], out: Path, class_names: tuple[str, ...]) -> int:
    """Write tiles as they are made, under numbered names; the number written. See `write_named_tiles`."""
    named = (
        NamedTile(name=f"tile_{index:06d}", group="", image_HW=image, boxes_xyxy_px=boxes, labels=labels)
        for index, (image, boxes, labels) in enumerate(tiles)
    )
    return write_named_tiles(named, out, class_names)


def write_named_tiles(tiles: Iterable[NamedTile], out: Path, class_names: tuple[str, ...]) -> int:
    """Write tiles as they are made, one in memory at a time; the number written.

    Raises:
        OutputError: `out` holds tiles already, or cannot be written; nothing is left behind.
    """
    refuse_labelled(out)
    groups: list[tuple[str, str]] = []
    places: list[tuple[str, TileGeometry | None]] = []
    with atomic_folder(out) as staging:
        _make_folders(staging)
        for tile in tiles:
            file_name = f"{tile.name}.png"
            encoded, data = cv2.imencode(".png", tile.image_HW)
            assert encoded, "grey uint8 always encodes"
            (staging / "images" / file_name).write_bytes(data.tobytes())
            size_hw = (tile.image_HW.shape[0], tile.image_HW.shape[1])
            _write_labels(staging, file_name, tile.boxes_xyxy_px, tile.labels, size_hw)
            groups.append((tile.group, f"images/{file_name}"))
            places.append((f"images/{file_name}", tile.geometry))
        write_groups(staging, groups)
        _write_geometry(staging, places)
        _write_class_names(staging, class_names)
    return len(groups)


def _make_folders(out: Path) -> None:
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)


def _write_geometry(out: Path, places: list[tuple[str, TileGeometry | None]]) -> None:
    known = [(name, place) for name, place in places if place is not None]
    if known:
        (out / GEOMETRY).write_text(geometry_text(known), encoding="utf-8")


def _write_labels(
    out: Path,
    image_name: str,
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    size_hw: tuple[int, int],
) -> None:
    height, width = size_hw
    lines = [
        f"{label} {(left + right) / 2 / width:.7f} {(top + bottom) / 2 / height:.7f} "
        f"{(right - left) / width:.7f} {(bottom - top) / height:.7f}\n"
        for label, (left, top, right, bottom) in zip(labels.tolist(), boxes.tolist(), strict=True)
    ]
    (out / "labels" / image_name).with_suffix(".txt").write_text("".join(lines), encoding="utf-8")


def _write_class_names(out: Path, names: tuple[str, ...]) -> None:
    listing = {"path": ".", "train": "images", "val": "images", "nc": len(names), "names": list(names)}
    (out / "data.yaml").write_text(yaml.safe_dump(listing, sort_keys=False), encoding="utf-8")
