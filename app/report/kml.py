"""Contacts and survey lines as KML 2.2, as Google Earth and QGIS read it. Source: OGC 07-147r2."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree as ET

from app.report.properties import contact_properties, position_deg
from app.sonar.waterfall import PositionUnits
from app.survey.contact import Contact
from app.survey.result import FileReport, SurveyResult

NAMESPACE = "http://www.opengis.net/kml/2.2"
COLOURS_AABBGGRR = ("ff3c6ef5", "ffd8a020", "ff5ec24b", "ffc060d0", "ff20b8e8")
"""One per class, in the class order; KML puts alpha first and red last."""
TRACK_AABBGGRR = "c0a08060"
UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 does not allow in a text, not even escaped."""


def kml_text(result: SurveyResult) -> str:
    """A document with one folder of contacts per class and one of survey lines.

    KML knows only longitude and latitude: contacts without them are left out, and the document says how many.
    """
    root = ET.Element("kml", xmlns=NAMESPACE)
    document = _add(root, "Document")
    placed = [contact for contact in result.contacts if position_deg(contact) is not None]
    _add(document, "name", "Sonar contacts")
    _add(document, "description", _summary(result, len(placed)))
    labels = list(result.contacts_by_label())
    for number, _ in enumerate(labels):
        _contact_style(document, number)
    _track_style(document)
    for number, label in enumerate(labels):
        folder = _add(document, "Folder")
        _add(folder, "name", label)
        for contact in placed:
            if contact.label == label:
                _placemark(folder, contact, number)
    lines = _add(document, "Folder")
    _add(lines, "name", "Survey lines")
    for file in result.files:
        _line(lines, file)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _summary(result: SurveyResult, placed: int) -> str:
    text = f"{len(result.contacts)} contacts in {len(result.files)} files, found by {result.model}."
    missing = len(result.contacts) - placed
    return f"{text} {missing} of them have no longitude and latitude and are not shown." if missing else text


def _contact_style(document: ET.Element, number: int) -> None:
    style = _add(document, "Style", id=f"class{number}")
    icon = _add(style, "IconStyle")
    _add(icon, "color", COLOURS_AABBGGRR[number % len(COLOURS_AABBGGRR)])
    _add(icon, "scale", "1.0")
    _add(_add(style, "LabelStyle"), "scale", "0.8")


def _track_style(document: ET.Element) -> None:
    line = _add(_add(document, "Style", id="track"), "LineStyle")
    _add(line, "color", TRACK_AABBGGRR)
    _add(line, "width", "2")


def _placemark(folder: ET.Element, contact: Contact, number: int) -> None:
    longitude, latitude = position_deg(contact) or (0.0, 0.0)
    mark = _add(folder, "Placemark", id=contact.identifier)
    _add(mark, "name", contact.identifier)
    known = {name: value for name, value in contact_properties(contact).items() if value is not None}
    _add(mark, "description", "\n".join(f"{name}: {value}" for name, value in known.items()))
    if "time_utc" in known:
        _add(_add(mark, "TimeStamp"), "when", str(known["time_utc"]))
    _add(mark, "styleUrl", f"#class{number}")
    extended = _add(mark, "ExtendedData")
    for name, value in known.items():
        _add(_add(extended, "Data", name=name), "value", str(value))
    _add(_add(mark, "Point"), "coordinates", f"{longitude:.7f},{latitude:.7f}")


def _line(folder: ET.Element, file: FileReport) -> None:
    track = file.track
    if track is None or track.units is not PositionUnits.DEGREES or len(track.x) < 2:
        return
    mark = _add(folder, "Placemark")
    _add(mark, "name", file.source)
    _add(mark, "styleUrl", "#track")
    parts = _cut_at_180(list(zip(track.x.tolist(), track.y.tolist(), strict=True)))
    parent = mark if len(parts) == 1 else _add(mark, "MultiGeometry")
    for part in parts:
        line = _add(parent, "LineString")
        _add(line, "tessellate", "1")
        _add(line, "coordinates", " ".join(f"{x:.7f},{y:.7f}" for x, y in part))


def _cut_at_180(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Lines that end at the 180th meridian, where longitudes jump: a line from 179.99 to -179.99 is drawn around
    the earth by programs that take longitudes for plain numbers.
    """
    parts = [points[:1]]
    for (x, y), (next_x, next_y) in pairwise(points):
        if abs(next_x - x) > 180:
            edge = math.copysign(180.0, x)
            way = next_x + 2 * edge - x
            crossing_y = y + (next_y - y) * ((edge - x) / way if way else 0.0)
            parts[-1].append((edge, crossing_y))
            parts.append([(-edge, crossing_y)])
        parts[-1].append((next_x, next_y))
    return parts


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = UNPRINTABLE.sub("\ufffd", text)
    return element
