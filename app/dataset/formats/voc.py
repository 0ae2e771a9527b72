"""Pascal VOC: an XML file per image, boxes as 1-based inclusive corners in pixels."""

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from app.dataset.defects import IMAGE_SUFFIXES, Defects, boxes_array, checked_tile, read_grey
from app.dataset.tiles import TileSet
from app.storage import atomic_write


def find_voc(root: Path) -> list[Path]:
    """XML files below `root` whose first element is `annotation`."""
    found = []
    for path in sorted(root.rglob("*.xml")):
        with path.open("rb") as stream:
            if b"<annotation" in stream.read(2000):
                found.append(path)
    return found


def read_voc(root: Path, files: list[Path], defects: Defects) -> TileSet:
    """Read every annotation with its image; what is wrong goes to `defects`."""
    images = {p.stem: p for p in root.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES}
    rows: list[tuple[Path, tuple[int, int], list[tuple[float, float, float, float]], list[str]]] = []
    for file in files:
        image_path = images.pop(file.stem, None)
        if image_path is None:
            defects.add(file, "is an annotation without an image")
            continue
        image = read_grey(image_path)
        if image is None:
            defects.add(image_path, "cannot be decoded as an image")
            continue
        parsed = _parse(file, defects)
        if parsed is not None:
            rows.append((image_path, (image.shape[0], image.shape[1]), *parsed))
    for left in images.values():
        defects.add(left, "has no annotation; one without objects marks background")
    names = tuple(sorted({name for *_, labels in rows for name in labels})) or ("target",)
    tiles = []
    for path, size, boxes, labels in rows:
        indices = np.asarray([names.index(name) for name in labels], dtype=np.int64)
        tile = checked_tile(path, size, boxes_array(boxes), indices, len(names), defects)
        if tile is not None:
            tiles.append(tile)
    return TileSet(root=root, class_names=names, tiles=tuple(tiles))


def _parse(file: Path, defects: Defects) -> tuple[list[tuple[float, float, float, float]], list[str]] | None:
    try:
        # Annotations are the user's own files; Python's parser resolves no external entities.
        tree = ET.parse(file)  # noqa: S314
        boxes, labels = [], []
        for entry in tree.iterfind("object"):
            box = entry.find("bndbox")
            name = entry.findtext("name")
            if box is None or not name:
                raise ValueError("object without name or box")
            left, top, right, bottom = (
                float(box.findtext(k, "nan")) for k in ("xmin", "ymin", "xmax", "ymax")
            )
            boxes.append((left - 1, top - 1, right, bottom))
            labels.append(name)
    except (ET.ParseError, ValueError) as error:
        defects.add(file, f"is not a readable annotation ({error})")
        return None
    return boxes, labels


def write_voc(tiles: TileSet, out: Path) -> None:
    """Write JPEGImages/ (copied as they are) and Annotations/."""
    for index, tile in enumerate(tiles.tiles, 1):
        name = f"{index:06d}_{tile.path.name}"
        with atomic_write(out / "JPEGImages" / name) as stream:
            stream.write(tile.path.read_bytes())
        top = ET.Element("annotation")
        ET.SubElement(top, "filename").text = name
        size = ET.SubElement(top, "size")
        for key, value in (("width", tile.width_px), ("height", tile.height_px), ("depth", 1)):
            ET.SubElement(size, key).text = str(value)
        for box, label in zip(tile.boxes_xyxy_px.tolist(), tile.labels.tolist(), strict=True):
            entry = ET.SubElement(top, "object")
            ET.SubElement(entry, "name").text = tiles.class_names[label]
            corners = ET.SubElement(entry, "bndbox")
            for key, value in zip(
                ("xmin", "ymin", "xmax", "ymax"), (box[0] + 1, box[1] + 1, box[2], box[3]), strict=True
            ):
                ET.SubElement(corners, key).text = f"{value:.2f}"
        ET.indent(top)
        with atomic_write(out / "Annotations" / f"{Path(name).stem}.xml") as stream:
            stream.write(ET.tostring(top, encoding="utf-8", xml_declaration=True))
