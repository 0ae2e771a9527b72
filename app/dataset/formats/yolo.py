"""YOLO folders: a text file per image, a line per box: class, centre x, centre y, width, height in 0..1.

Layouts: images/ beside labels/ (also below train/, valid/, test/), or each text file beside its image (also
in folders by year). A background image has an empty text file. A missing text file is a defect: nothing tells
an image that was never labelled from one without objects, and the first teaches a detector to miss.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from app.dataset.defects import Defect, Defects, RawBox, checked_tile
from app.dataset.images import ImageFacts, examine, image_files
from app.dataset.tiles import TileSet
from app.errors import DatasetError

NOT_LABELS = ("classes", "readme", "license", "notes", "obj", "requirements", "train", "valid", "val", "test")
"""Beginnings of text files that lie in such folders without being labels, unless an image has their name."""
MOST_UNNAMED = 1000
"""A class number beyond this in a set without names is a slip, not a thousand classes."""

ParsedLine = tuple[str, int, tuple[float, float, float, float]]
"""Place, class, and left, top, right, bottom in parts of the image."""


def looks_like_yolo(root: Path) -> bool:
    """Whether the folder has a data.yaml, a labels folder, or text files beside its images."""
    if _listing(root) is not None or any(p.is_dir() for p in root.glob("**/labels")):
        return True
    return any(path.with_suffix(".txt").is_file() for path in image_files(root))


def read_yolo(root: Path, defects: Defects, *, missing_is_background: bool = False) -> TileSet:
    """Read every image below `root` with its label file; what is wrong goes to `defects`.

    Args:
        missing_is_background: take an image without a label file as one without objects, as programs do that
            write no file for those.
    """
    facts = examine(image_files(root))
    label_files = {path: _label_path(path, root) for path in facts}
    parsed: list[tuple[Path, ImageFacts, list[ParsedLine]]] = []
    for path, found in facts.items():
        label_file = label_files[path]
        if found is None:
            defects.add(path, Defect.UNREADABLE)
        if not label_file.is_file():
            if not missing_is_background:
                defects.add(path, Defect.MISSING_LABELS, f"{label_file.name}; an empty one means background")
                continue
            rows: list[ParsedLine] | None = []
        else:
            rows = _read_labels(label_file, defects)
        if found is not None and rows is not None:
            parsed.append((path, found, rows))
    for stray in _stray_labels(root, set(label_files.values())):
        defects.add(stray, Defect.MISSING_IMAGE)
    names = _distinct(_class_names(root), root) or _numbered(
        label for _, _, rows in parsed for _, label, _ in rows
    )
    checked = (
        checked_tile(
            path,
            found,
            [_in_pixels(row, found) for row in rows],
            label_file=label_files[path],
            class_count=len(names),
            defects=defects,
        )
        for path, found, rows in parsed
    )
    return TileSet(
        root=root, class_names=names, tiles=tuple(t for t in checked if t is not None), format="YOLO"
    )


def _label_path(image: Path, root: Path) -> Path:
    parts = list(image.relative_to(root).parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            return root.joinpath(*parts).with_suffix(".txt")
    return image.with_suffix(".txt")


def _stray_labels(root: Path, known: set[Path]) -> list[Path]:
    return sorted(
        path
        for path in root.rglob("*.txt")
        if path not in known
        and not path.name.lower().startswith(NOT_LABELS)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def _read_labels(path: Path, defects: Defects) -> list[ParsedLine] | None:
    """All lines, or None after noting every line that is none of ours."""
    rows, bad = [], False
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        defects.add(path, Defect.MALFORMED, "is no text")
        return None
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        box = _parse(fields)
        if box is None:
            bad = True
            defects.add(
                path, Defect.MALFORMED, f"line {number}: {line[:60]!r} is not 'class x y width height'"
            )
        else:
            rows.append((f"line {number}", *box))
    return None if bad else rows


def _parse(fields: list[str]) -> tuple[int, tuple[float, float, float, float]] | None:
    try:
        label = float(fields[0])
        values = [float(v) for v in fields[1:]]
    except ValueError:
        return None
    if not (abs(label) < 1e9 and label == int(label)):  # also turns NaN away
        return None
    if len(values) == 4:
        x, y, width, height = values
        return int(label), (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if len(values) >= 6 and len(values) % 2 == 0:  # an outline, as in segmentation sets: its box
        xs, ys = values[::2], values[1::2]
        return int(label), (min(xs), min(ys), max(xs), max(ys))
    return None


def _in_pixels(row: ParsedLine, facts: ImageFacts) -> RawBox:
    place, label, (left, top, right, bottom) = row
    width, height = facts.width_px, facts.height_px
    return RawBox(
        place=place, label=label, xyxy_px=(left * width, top * height, right * width, bottom * height)
    )


def _listing(root: Path) -> Path | None:
    found = (root / name for name in ("data.yaml", "data.yml", "dataset.yaml"))
    return next((path for path in found if path.is_file()), None)


def _class_names(root: Path) -> tuple[str, ...]:
    """Names from data.yaml or classes.txt; none where neither gives any."""
    if (listing := _listing(root)) is not None:
        try:
            content = yaml.safe_load(listing.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise DatasetError(f"{listing} is not readable YAML; it must hold 'names: [...]'") from error
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, dict):
            names = _by_number(names, listing)
        if isinstance(names, list) and names:
            return tuple(str(name) for name in names)
    for name in ("classes.txt", "labels/classes.txt"):
        if (root / name).is_file():
            try:
                lines = (root / name).read_text(encoding="utf-8-sig").splitlines()
            except UnicodeDecodeError as error:
                raise DatasetError(f"{root / name} is no text in UTF-8; save it as such") from error
            return tuple(line.strip() for line in lines if line.strip())
    return ()


def _by_number(names: dict[Any, Any], listing: Path) -> list[Any]:
    """Names in the order of their numbers, which label files count from 0."""
    numbered = {str(key): name for key, name in names.items()}
    wanted = [str(number) for number in range(len(numbered))]
    if set(numbered) != set(wanted):
        given = ", ".join(numbered)
        raise DatasetError(
            f"{listing} numbers its names {given}; label files count classes from 0: number them 0 to {len(names) - 1}"
        )
    return [numbered[number] for number in wanted]


def _distinct(names: tuple[str, ...], root: Path) -> tuple[str, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DatasetError(f"{root} names two classes {twice!r}; give each class a name of its own")
    return names


def _numbered(labels: Iterator[int]) -> tuple[str, ...]:
    largest = max((label for label in labels if label < MOST_UNNAMED), default=0)
    # One unnamed class is what almost every single-target set means by 0.
    return ("target",) if largest <= 0 else tuple(f"class{number}" for number in range(largest + 1))
