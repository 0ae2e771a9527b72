"""COCO: one JSON file of images, annotations, categories; boxes as left, top, width, height in pixels."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from app.dataset.defects import Defects, boxes_array, checked_tile, read_grey
from app.dataset.tiles import LabelledTile, TileSet
from app.errors import DatasetError
from app.storage import atomic_write, write_json


def find_coco(root: Path) -> list[Path]:
    """JSON files below `root` that have COCO's three lists."""
    found = []
    for path in sorted(root.rglob("*.json")):
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content):
            found.append(path)
    return found


def read_coco(root: Path, files: list[Path], defects: Defects) -> TileSet:
    """Read every listed image; what is wrong goes to `defects`."""
    contents = [(path, json.loads(path.read_text())) for path in files]
    names = _names(contents)
    tiles = [t for path, content in contents for t in _read_one(root, path, content, names, defects)]
    return TileSet(root=root, class_names=names, tiles=tuple(tiles))


def _names(contents: list[tuple[Path, dict[str, Any]]]) -> tuple[str, ...]:
    by_id: dict[int, str] = {}
    for path, content in contents:
        for category in content["categories"]:
            known = by_id.setdefault(int(category["id"]), str(category["name"]))
            if known != str(category["name"]):
                raise DatasetError(
                    f"{path}: category {category['id']} is {category['name']!r} here, {known!r} elsewhere; "
                    "give the files one list of categories"
                )
    return tuple(by_id[key] for key in sorted(by_id)) or ("target",)


def _read_one(
    root: Path, file: Path, content: dict[str, Any], names: tuple[str, ...], defects: Defects
) -> list[LabelledTile]:
    label_of = {int(c["id"]): names.index(str(c["name"])) for c in content["categories"]}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        by_image.setdefault(annotation.get("image_id"), []).append(annotation)
    tiles = []
    for entry in content["images"]:
        path = _find(root, file, str(entry["file_name"]))
        own = by_image.pop(entry["id"], [])
        image = read_grey(path) if path is not None else None
        if path is None or image is None:
            what = "is listed but not there" if path is None else "cannot be decoded as an image"
            defects.add(path or file.parent / str(entry["file_name"]), what)
            continue
        rows, labels, bad = [], [], False
        for annotation in own:
            box = annotation.get("bbox")
            if not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)):
                defects.add(path, f"annotation {annotation.get('id')} has no box of four numbers")
                bad = True
                continue
            rows.append((box[0], box[1], box[0] + box[2], box[1] + box[3]))
            labels.append(label_of.get(annotation.get("category_id", -1), -1))
        size = (image.shape[0], image.shape[1])
        tile = checked_tile(
            path, size, boxes_array(rows), np.asarray(labels, dtype=np.int64), len(names), defects
        )
        if tile is not None and not bad:
            tiles.append(tile)
    for image_id, left in by_image.items():
        defects.add(file, f"{len(left)} annotations belong to image {image_id}, which is not listed")
    return tiles


def _find(root: Path, file: Path, name: str) -> Path | None:
    for folder in (file.parent, file.parent / "images", root, root / "images", file.parent.parent / "images"):
        # resolve: a file name such as ../../etc must not leave the data set
        path = (folder / name).resolve()
        if path.is_file() and path.is_relative_to(root.resolve()):
            return folder / name
    return None


def write_coco(tiles: TileSet, out: Path) -> None:
    """Write images/ and annotations.json."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, tile in enumerate(tiles.tiles, 1):
        name = f"{index:06d}_{tile.path.name}"
        with atomic_write(out / "images" / name) as stream:
            stream.write(tile.path.read_bytes())
        images.append({"id": index, "file_name": name, "height": tile.height_px, "width": tile.width_px})
        for box, label in zip(tile.boxes_xyxy_px.tolist(), tile.labels.tolist(), strict=True):
            size = [box[2] - box[0], box[3] - box[1]]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": index, "category_id": label + 1, "iscrowd": 0}
                | {"bbox": [box[0], box[1], *size], "area": size[0] * size[1]}
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(tiles.class_names, 1)]
    write_json(
        out / "annotations.json", {"images": images, "annotations": annotations, "categories": categories}
    )
