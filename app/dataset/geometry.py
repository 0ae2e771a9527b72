"""Where the pixels of a tile lie beside the track: kept beside a set's images, where somebody knew it."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.errors import DatasetError

GEOMETRY = "geometry.csv"
"""In a set's folder: image, pixel_m, near_m; a row for each tile whose place is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TileGeometry:
    """Column 0 is the one nearest to the track."""

    pixel_m: float
    near_m: float
    """Distance of column 0 from the track, along the bottom."""


def geometry_text(rows: Iterable[tuple[str, TileGeometry]]) -> str:
    """The file's text, of paths below the set's folder."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("image", "pixel_m", "near_m"))
    writer.writerows((name, f"{g.pixel_m:.6g}", f"{g.near_m:.6g}") for name, g in rows)
    return stream.getvalue()


def read_geometry(root: Path) -> Mapping[str, TileGeometry]:
    """By path below `root`; empty where the set does not know.

    Raises:
        DatasetError: the file is not what `geometry_text` gives.
    """
    path = root / GEOMETRY
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {
                row["image"]: TileGeometry(pixel_m=float(row["pixel_m"]), near_m=float(row["near_m"]))
                for row in csv.DictReader(stream)
            }
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(
            f"{path} is damaged ({type(error).__name__}); import the survey again, or remove the file"
        ) from error
