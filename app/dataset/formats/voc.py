"""Pascal VOC: an XML file per image, boxes as 1-based inclusive corners in pixels."""

from pathlib import Path
from xml.etree import ElementTree as ET

from app.dataset.defects import Defect, Defects, RawBox, checked_tile
from app.dataset.formats.naming import flat_names, tile_bytes, write_groups
from app.dataset.images import ImageFacts, examine, image_files
from app.dataset.tiles import TileSet
from app.storage import atomic_folder

NamedBox = tuple[str, str, tuple[float, float, float, float]]
"""Place in the file, class name, corners as ours: 0-based, right and bottom exclusive."""


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
    facts = examine(image_files(root))
    unused = set(facts)
    rows: list[tuple[Path, ImageFacts, Path, list[NamedBox]]] = []
    for file in files:
        path = _image_of(file, facts)
        boxes = _parse(file, defects)
        if path is None:
            defects.add(file, Defect.MISSING_IMAGE)
            continue
        unused.discard(path)
        found = facts[path]
        if found is None:
            defects.add(path, Defect.UNREADABLE)
        elif boxes is not None:
            rows.append((path, found, file, boxes))
    for path in sorted(unused):
        defects.add(path, Defect.MISSING_LABELS, "an annotation without objects means background")
    names = tuple(sorted({name for *_, boxes in rows for _, name, _ in boxes})) or ("target",)
    tiles = []
    for path, found, file, boxes in rows:
        raw = [RawBox(place=place, label=names.index(n), xyxy_px=corners) for place, n, corners in boxes]
        tile = checked_tile(path, found, raw, label_file=file, class_count=len(names), defects=defects)
        tiles += [tile] if tile is not None else []
    return TileSet(root=root, class_names=names, tiles=tuple(tiles), format="Pascal VOC")


def _image_of(file: Path, images: dict[Path, ImageFacts | None]) -> Path | None:
    """The image of the same name: beside the file, or in the folder beside that of the annotations."""
    for folder in (file.parent, file.parent.parent / "JPEGImages", file.parent.parent / "images"):
        for path in (folder / f"{file.stem}{suffix}" for suffix in _SUFFIXES):
            if path in images:
                return path
    alike = [path for path in images if path.stem == file.stem]
    return alike[0] if len(alike) == 1 else None


_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".JPG", ".PNG")


def _parse(file: Path, defects: Defects) -> list[NamedBox] | None:
    try:
        # Annotations are the user's own files; Python's parser resolves no external entities.
        tree = ET.parse(file)  # noqa: S314
    except (
        ET.ParseError,
        LookupError,
        ValueError,
    ) as error:  # the last two: a character set that Python lacks
        defects.add(file, Defect.MALFORMED, f"is not XML ({error})")
        return None
    boxes, bad = [], False
    for number, entry in enumerate(tree.iterfind("object"), 1):
        place, name, box = f"object {number}", entry.findtext("name", "").strip(), entry.find("bndbox")
        try:
            if not name or box is None:
                raise ValueError("no name or no bndbox")
            values = [box.findtext(key) for key in ("xmin", "ymin", "xmax", "ymax")]
            left, top, right, bottom = (float(v or "missing") for v in values)
        except ValueError as error:
            defects.add(file, Defect.MALFORMED, f"{place}: {error}")
            bad = True
            continue
        boxes.append((place, name, (left - 1, top - 1, right, bottom)))
    return None if bad else boxes


def write_voc(tiles: TileSet, out: Path) -> None:
    """Write JPEGImages/ (copied as they are) and Annotations/.

    Raises:
        OutputError: `out` cannot be written; nothing is left behind.
    """
    names = flat_names(tiles)
    with atomic_folder(out) as staging:
        for folder in ("JPEGImages", "Annotations"):
            (staging / folder).mkdir(parents=True)
        for index, name in enumerate(names):
            (staging / "JPEGImages" / name).write_bytes(tile_bytes(tiles.tiles[index]))
            annotation = (staging / "Annotations" / name).with_suffix(".xml")
            annotation.write_bytes(_annotation(tiles, index, name))
        listed = zip(tiles.tiles, names, strict=True)
        write_groups(staging, [(tile.group, f"JPEGImages/{name}") for tile, name in listed])


def _annotation(tiles: TileSet, index: int, name: str) -> bytes:
    tile = tiles.tiles[index]
    top = ET.Element("annotation")
    ET.SubElement(top, "folder").text = "JPEGImages"
    ET.SubElement(top, "filename").text = name
    size = ET.SubElement(top, "size")
    for key, value in (("width", tile.width_px), ("height", tile.height_px), ("depth", 1)):
        ET.SubElement(size, key).text = str(value)
    for (left, upper, right, lower), label in zip(
        tile.boxes_xyxy_px.tolist(), tile.labels.tolist(), strict=True
    ):
        entry = ET.SubElement(top, "object")
        ET.SubElement(entry, "name").text = tiles.class_names[label]
        ET.SubElement(entry, "difficult").text = "0"
        box = ET.SubElement(entry, "bndbox")
        corners = {"xmin": left + 1, "ymin": upper + 1, "xmax": right, "ymax": lower}
        for key, value in corners.items():
            ET.SubElement(box, key).text = f"{value:.3f}"
    ET.indent(top)
    return bytes(ET.tostring(top, encoding="utf-8", xml_declaration=True))
