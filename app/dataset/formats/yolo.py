"""YOLO folders: a text file per image, a line per box: class, centre x, centre y, width, height in 0..1.

Layouts: images/ beside labels/ (also below train/, valid/, test/), or each text file beside its image.
A background image has an empty text file; only where a folder has no text file for any empty image is a
missing one a defect that can be told from "nobody labelled it".
"""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from app.dataset.defects import IMAGE_SUFFIXES, Defects, boxes_array, checked_tile, read_grey
from app.dataset.tiles import LabelledTile, TileSet
from app.errors import DatasetError
from app.storage import atomic_write, write_text

NOT_LABELS = frozenset({"classes.txt", "README.txt", "LICENSE.txt", "notes.txt", "labels.txt"})


def looks_like_yolo(root: Path) -> bool:
    """Whether the folder has a data.yaml, a labels folder, or text files beside its images."""
    if (root / "data.yaml").is_file() or any(p.is_dir() for p in root.glob("**/labels")):
        return True
    return any(p.with_suffix(".txt").is_file() for p in _images(root))


def read_yolo(root: Path, defects: Defects) -> TileSet:
    """Read every image below `root` with its label file; what is wrong goes to `defects`."""
    tiles: list[LabelledTile] = []
    parsed: list[tuple[Path, tuple[int, int], list[tuple[int, float, float, float, float]]]] = []
    label_files = set()
    for image_path in _images(root):
        label_path = _label_path(image_path, root)
        label_files.add(label_path)
        image = read_grey(image_path)
        if image is None:
            defects.add(image_path, "cannot be decoded as an image")
            continue
        if not label_path.is_file():
            defects.add(
                image_path, f"has no label file ({label_path.relative_to(root)}); empty one for background"
            )
            continue
        rows = _read_labels(label_path, defects)
        if rows is not None:
            parsed.append((image_path, (image.shape[0], image.shape[1]), rows))
    for stray in _stray_labels(root, label_files):
        defects.add(stray, "is a label file without an image")
    names = _class_names(root, max((r[0] for _, _, rows in parsed for r in rows), default=0))
    for path, (height, width), rows in parsed:
        labels = np.asarray([r[0] for r in rows], dtype=np.int64)
        boxes = boxes_array(
            [
                ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
                for _, x, y, w, h in rows
            ]
        )
        tile = checked_tile(path, (height, width), boxes, labels, len(names), defects)
        if tile is not None:
            tiles.append(tile)
    return TileSet(root=root, class_names=names, tiles=tuple(tiles))


def write_yolo(tiles: TileSet, out: Path) -> None:
    """Write images/ and labels/ and data.yaml; images are copied as they are."""
    for tile in tiles.tiles:
        relative = (
            tile.path.relative_to(tiles.root)
            if tile.path.is_relative_to(tiles.root)
            else Path(tile.path.name)
        )
        stem = "_".join(p for p in relative.parts if p not in ("images", "labels"))
        with atomic_write(out / "images" / stem) as stream:
            stream.write(tile.path.read_bytes())
        _write_labels(
            out / "labels" / Path(stem).with_suffix(".txt"),
            tile.boxes_xyxy_px,
            tile.labels,
            (tile.height_px, tile.width_px),
        )
    _write_names(out, tiles.class_names)


def write_yolo_tiles(
    tiles: Iterable[tuple[str, NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]],
    out: Path,
    class_names: tuple[str, ...],
) -> int:
    """Write tiles as they are made: name, image, boxes, labels; the number written."""
    count = 0
    for name, image, boxes, labels in tiles:
        done, data = cv2.imencode(".png", image)
        assert done, "grey uint8 always encodes"
        with atomic_write(out / "images" / f"{name}.png") as stream:
            stream.write(data.tobytes())
        _write_labels(out / "labels" / f"{name}.txt", boxes, labels, (image.shape[0], image.shape[1]))
        count += 1
    _write_names(out, class_names)
    return count


def _images(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())


def _label_path(image: Path, root: Path) -> Path:
    parts = list(image.relative_to(root).parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            return (root / Path(*parts)).with_suffix(".txt")
    return image.with_suffix(".txt")


def _stray_labels(root: Path, known: set[Path]) -> list[Path]:
    texts = (
        p
        for p in root.rglob("*.txt")
        if p.name not in NOT_LABELS and not p.name.startswith(("README", "LICENSE"))
    )
    return sorted(p for p in texts if p not in known)


def _read_labels(path: Path, defects: Defects) -> list[tuple[int, float, float, float, float]] | None:
    rows = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        try:
            label, (x, y, w, h) = int(fields[0]), (float(v) for v in fields[1:])
        except ValueError:
            defects.add(path, f"line {number} is not 'class x y width height': {line[:60]!r}")
            return None
        rows.append((label, x, y, w, h))
    return rows


def _class_names(root: Path, largest: int) -> tuple[str, ...]:
    listing = root / "data.yaml"
    if listing.is_file():
        try:
            names = (yaml.safe_load(listing.read_text()) or {}).get("names")
        except (yaml.YAMLError, AttributeError) as error:
            raise DatasetError(f"{listing} is not readable YAML; it must hold 'names: [...]'") from error
        if isinstance(names, dict):
            names = [names[key] for key in sorted(names)]
        if isinstance(names, list) and names:
            return tuple(str(n) for n in names)
    for name in ("classes.txt", "labels/classes.txt"):
        if (root / name).is_file():
            return tuple(line.strip() for line in (root / name).read_text().splitlines() if line.strip())
    # One unnamed class is what almost every single-target set means by 0.
    return ("target",) if largest == 0 else tuple(f"class{i}" for i in range(largest + 1))


def _write_labels(
    path: Path, boxes: NDArray[np.float32], labels: NDArray[np.int64], size_hw: tuple[int, int]
) -> None:
    height, width = size_hw
    lines = [
        f"{label} {(b[0] + b[2]) / 2 / width:.6f} {(b[1] + b[3]) / 2 / height:.6f} "
        f"{(b[2] - b[0]) / width:.6f} {(b[3] - b[1]) / height:.6f}\n"
        for label, b in zip(labels.tolist(), boxes.tolist(), strict=True)
    ]
    write_text(path, "".join(lines))


def _write_names(out: Path, names: tuple[str, ...]) -> None:
    write_text(out / "data.yaml", yaml.safe_dump({"path": ".", "train": "images", "names": list(names)}))
