"""COCO: a JSON file with images, annotations, categories; boxes as left, top, width, height in pixels."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.dataset.defects import Defect, Defects, RawBox, checked_tile
from app.dataset.formats.naming import flat_names, tile_bytes, write_groups
from app.dataset.images import examine
from app.dataset.tiles import TileSet
from app.errors import DatasetError
from app.storage import atomic_folder

PARTS = {"images", "annotations", "categories"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoFile:
    """One annotation file, parsed."""

    path: Path
    content: dict[str, Any]


def find_coco(root: Path) -> list[CocoFile]:
    """JSON files below `root` that have COCO's three lists; hidden files and folders are left out."""
    found = []
    for path in sorted(root.rglob("*.json")):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and set(content) >= PARTS:
            found.append(CocoFile(path=path, content=content))
    return found


def read_coco(root: Path, files: list[CocoFile], defects: Defects) -> TileSet:
    """Read every listed image; what is wrong goes to `defects`."""
    for file in files:
        _require_lists(file)
    names_by_id = _categories(files)
    names = tuple(dict.fromkeys(names_by_id[key] for key in sorted(names_by_id))) or ("target",)
    label_of = {identifier: names.index(name) for identifier, name in names_by_id.items()}
    places = {
        (file.path, n): _find(root, file.path, str(entry.get("file_name", "")))
        for file in files
        for n, entry in enumerate(file.content["images"])
    }
    facts = examine(dict.fromkeys(path for path in places.values() if path is not None))
    listed = Counter(places.values())
    tiles = []
    for file in files:
        by_image = _annotations(file, label_of, defects)
        for number, entry in enumerate(file.content["images"]):
            boxes = by_image.pop(entry.get("id"), [])
            path = places[file.path, number]
            if path is None:
                defects.add(file.path, Defect.MISSING_IMAGE, str(entry.get("file_name")))
            elif (found := facts[path]) is None:
                defects.add(path, Defect.UNREADABLE)
            elif listed[path] > 1:  # none of its entries has all boxes for sure
                defects.add(path, Defect.LISTED_TWICE, f"in {file.path.name}")
            elif boxes is not None:
                tile = checked_tile(
                    path, found, boxes, label_file=path, class_count=len(names), defects=defects
                )
                tiles += [tile] if tile is not None else []
        for image_id in by_image:
            defects.add(
                file.path, Defect.MISSING_IMAGE, f"annotations of image {image_id}, which is not listed"
            )
    return TileSet(root=root, class_names=names, tiles=tuple(tiles), format="COCO")


def _require_lists(file: CocoFile) -> None:
    for part in sorted(PARTS):
        entries = file.content[part]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DatasetError(
                f"{file.path}: {part!r} must be a list of objects, as in COCO; export it again"
            )


def _categories(files: list[CocoFile]) -> dict[Any, str]:
    by_id: dict[Any, str] = {}
    for file in files:
        for category in file.content["categories"]:
            name = str(category.get("name", ""))
            known = by_id.setdefault(category.get("id"), name)
            if known != name:
                raise DatasetError(
                    f"{file.path}: category {category.get('id')} is {name!r} here, {known!r} in another file; "
                    "give the files one list of categories"
                )
    return by_id


def _annotations(
    file: CocoFile, label_of: dict[Any, int], defects: Defects
) -> dict[Any, list[RawBox] | None]:
    """Boxes by image; None for an image that has an annotation without a box."""
    by_image: dict[Any, list[RawBox] | None] = defaultdict(list)
    for annotation in file.content["annotations"]:
        image_id, place = annotation.get("image_id"), f"annotation {annotation.get('id')}"
        box = annotation.get("bbox")
        if not (isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box)):
            defects.add(file.path, Defect.MALFORMED, f"{place} has no bbox of four numbers")
            by_image[image_id] = None
            continue
        left, top, width, height = box
        label = label_of.get(annotation.get("category_id"), -1)
        raw = RawBox(place=place, label=label, xyxy_px=(left, top, left + width, top + height))
        if (boxes := by_image[image_id]) is not None:
            boxes.append(raw)
    return by_image


def _find(root: Path, file: Path, name: str) -> Path | None:
    for folder in (file.parent, file.parent / "images", root, root / "images", file.parent.parent / "images"):
        # A file name such as ../../x must not leave the data set.
        if (folder / name).is_file() and (folder / name).resolve().is_relative_to(root.resolve()):
            return folder / name
    return None


def write_coco(tiles: TileSet, out: Path) -> None:
    """Write images/ (copied as they are) and annotations.json.

    Raises:
        OutputError: `out` cannot be written; nothing is left behind.
    """
    names = flat_names(tiles)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with atomic_folder(out) as staging:
        (staging / "images").mkdir(parents=True)
        for index, (tile, name) in enumerate(zip(tiles.tiles, names, strict=True), 1):
            (staging / "images" / name).write_bytes(tile_bytes(tile))
            images.append({"id": index, "file_name": name, "height": tile.height_px, "width": tile.width_px})
            for box, label in zip(tile.boxes_xyxy_px.tolist(), tile.labels.tolist(), strict=True):
                width, height = box[2] - box[0], box[3] - box[1]
                annotation = {"id": len(annotations) + 1, "image_id": index, "category_id": label + 1}
                annotation |= {"bbox": [box[0], box[1], width, height], "area": width * height, "iscrowd": 0}
                annotations.append(annotation)
        categories = [{"id": number, "name": name} for number, name in enumerate(tiles.class_names, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (staging / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
        write_groups(staging, [(t.group, f"images/{n}") for t, n in zip(tiles.tiles, names, strict=True)])
