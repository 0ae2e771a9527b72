"""Contacts as GeoJSON. Source: RFC 7946 (August 2016): WGS 84, longitude first, no `crs` member."""

import json
from collections.abc import Sequence

from app.report.properties import contact_properties, position_deg
from app.survey.contact import Contact


def geojson_text(contacts: Sequence[Contact]) -> str:
    """A FeatureCollection; a contact without a position has the geometry null (section 3.2)."""
    collection: dict[str, object] = {"type": "FeatureCollection"}
    positions = [p for p in map(position_deg, contacts) if p is not None]
    if positions:
        collection["bbox"] = _bbox(positions)
    collection["features"] = [_feature(contact) for contact in contacts]
    return json.dumps(collection, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _feature(contact: Contact) -> dict[str, object]:
    position = position_deg(contact)
    return {
        "type": "Feature",
        "id": contact.identifier,
        "geometry": None if position is None else {"type": "Point", "coordinates": list(position)},
        "properties": contact_properties(contact),
    }


def _bbox(positions: Sequence[tuple[float, float]]) -> list[float]:
    """West, south, east, north; across 180 degrees west is the larger number (section 5.2)."""
    longitudes, latitudes = zip(*positions, strict=True)
    west, east = min(longitudes), max(longitudes)
    if east - west > 180:
        west = min(x for x in longitudes if x > 0)
        east = max(x for x in longitudes if x <= 0)
    return [west, min(latitudes), east, max(latitudes)]
