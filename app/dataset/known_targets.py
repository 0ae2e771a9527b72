"""Known targets from a GeoJSON or CSV file: where what lies, and how large it is."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import DatasetError

LONGITUDE, LATITUDE = ("lon", "longitude", "longitude_deg", "x"), ("lat", "latitude", "latitude_deg", "y")
LABEL = ("label", "class", "type")
SIZES = ("length_m", "width_m", "height_m", "heading_deg")
UNNAMED_LABEL = "target"

Row = tuple[str, Mapping[str, Any]]
"""Place in the file for messages, and the row's fields in lower case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownTarget:
    """One object on the seabed; sizes are None where the file does not give them."""

    place: str
    """Where in the targets file, such as `line 3`."""
    label: str
    longitude: float
    latitude: float
    length_m: float | None = None
    width_m: float | None = None
    height_m: float | None = None
    """Above the seabed: gives the length of the shadow."""
    heading_deg: float | None = None
    """Of the length, clockwise from north."""


def read_targets(path: Path) -> tuple[KnownTarget, ...]:
    """Targets of a file: CSV with a line of names (lon, lat, label, and length_m, width_m, height_m, heading_deg
    where known), or GeoJSON points with the same properties.

    Raises:
        DatasetError: no such file, another format, no target, or wrong rows, all of them in `defects`.
    """
    readers = {".csv": _csv_rows, ".geojson": _geojson_rows, ".json": _geojson_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise DatasetError(
            f"{path} is no file of known targets; give a .geojson or .csv with lon, lat, label"
        )
    targets, defects = [], []
    try:
        for place, fields in reader(path):
            try:
                targets.append(_target(place, fields))
            except (TypeError, ValueError) as error:  # of float(): a list where a number belongs
                defects.append(f"{path.name}: {place}: {error}")
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be read as {path.suffix.lower()} ({error}); export it again"
        ) from error
    if defects:
        raise DatasetError(
            f"{path} has {len(defects)} wrong targets, such as {defects[0]}; each needs lon, lat in degrees",
            tuple(defects),
        )
    if not targets:
        raise DatasetError(f"{path} holds no target; give lon, lat, label, one row or point each")
    return tuple(targets)


def _csv_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        for fields in reader:
            named = {str(k).strip().lower(): v for k, v in fields.items() if k is not None}
            yield f"line {reader.line_num}", named


def _geojson_rows(path: Path) -> Iterator[Row]:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise DatasetError(f"{path} is no GeoJSON FeatureCollection; export the targets as points")
    for number, feature in enumerate(features, 1):
        fields: dict[str, Any] = {}
        if isinstance(feature, dict):
            properties, geometry = feature.get("properties"), feature.get("geometry")
            if isinstance(properties, dict):
                fields = {str(k).lower(): v for k, v in properties.items()}
            if isinstance(geometry, dict) and geometry.get("type") == "Point":
                position = geometry.get("coordinates")
                fields |= dict(
                    zip(("lon", "lat"), position if isinstance(position, list) else (), strict=False)
                )
        yield f"feature {number}", fields


def _target(place: str, fields: Mapping[str, Any]) -> KnownTarget:
    longitude, latitude = _number(fields, LONGITUDE), _number(fields, LATITUDE)
    if longitude is None or latitude is None:
        raise ValueError("has no position (lon, lat)")
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise ValueError(f"lon {longitude:g}, lat {latitude:g} are no degrees")
    sizes = {name: _number(fields, (name,)) for name in SIZES}
    for name in SIZES[:3]:
        if (size := sizes[name]) is not None and size <= 0:
            raise ValueError(f"{name} {size:g} must be above 0")
    label = next((str(fields[key]).strip() for key in LABEL if fields.get(key)), UNNAMED_LABEL)
    return KnownTarget(place=place, label=label, longitude=longitude, latitude=latitude, **sizes)


def _number(fields: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        value = fields.get(name)
        if value is not None and str(value).strip():
            number = float(value)
            if number != number or abs(number) == float("inf"):
                raise ValueError(f"{name} is {value}")
            return number
    return None
