"""GeoJSON, CSV and KML: what other programs will read."""

import csv
import io
import json
from xml.etree import ElementTree as ET

import numpy as np

from app.report.csv_file import COLUMNS, csv_text
from app.report.geojson import geojson_text
from app.report.kml import NAMESPACE, kml_text
from app.report.properties import contact_properties, utc_text
from tests.app.report.made_survey import made_contact, made_file, made_result, made_track

UNPLACED = {"longitude": None, "latitude": None, "grid_x_m": 571_010.123, "grid_y_m": 5_181_450.5}


def test_geojson_follows_rfc_7946() -> None:
    collection = json.loads(geojson_text([made_contact(1), made_contact(2, longitude=-68.0, latitude=48.0)]))
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    assert collection["bbox"] == [-68.8281235, 48.0, -68.0, 48.4456789]
    first = collection["features"][0]
    assert first["geometry"] == {"type": "Point", "coordinates": [-68.8281235, 48.4456789]}
    assert first["properties"]["across_m"] == 4.5
    assert first["properties"]["time_utc"] == "2023-11-14T22:13:20.25Z"


def test_geojson_keeps_contacts_without_a_position() -> None:
    collection = json.loads(geojson_text([made_contact(**UNPLACED)]))
    assert collection["features"][0]["geometry"] is None
    assert collection["features"][0]["properties"]["grid_x_m"] == 571_010.12
    assert "bbox" not in collection


def test_geojson_box_across_the_date_line_runs_from_west_to_east() -> None:
    contacts = [made_contact(1, longitude=179.9, latitude=-17.0), made_contact(2, longitude=-179.8)]
    assert json.loads(geojson_text(contacts))["bbox"] == [179.9, -17.0, -179.8, 48.4456789]


def test_geojson_of_no_contacts_is_still_a_collection() -> None:
    assert json.loads(geojson_text([])) == {"type": "FeatureCollection", "features": []}


def test_csv_has_every_property_and_reads_back() -> None:
    assert set(COLUMNS) == {*contact_properties(made_contact()), "longitude_deg", "latitude_deg"}
    rows = list(csv.DictReader(io.StringIO(csv_text([made_contact(source='a,"b".xtf', height_m=None)]))))
    assert rows[0]["source"] == 'a,"b".xtf'
    assert rows[0]["height_m"] == ""
    assert float(rows[0]["latitude_deg"]) == 48.4456789


def test_csv_gives_spreadsheets_no_formula() -> None:
    rows = list(
        csv.DictReader(io.StringIO(csv_text([made_contact(source="=HYPERLINK(1).xtf", along_m=-1.0)])))
    )
    assert rows[0]["source"] == "'=HYPERLINK(1).xtf"
    assert rows[0]["along_m"] == "-1.0"


def test_kml_places_contacts_and_lines() -> None:
    result = made_result(
        contacts=(made_contact(1), made_contact(2, label="ship"), made_contact(3, **UNPLACED))
    )
    root = ET.fromstring(kml_text(result))
    tag = f"{{{NAMESPACE}}}"
    assert root.tag == f"{tag}kml"
    points = [p.text for p in root.iter(f"{tag}coordinates")]
    assert points[:2] == ["-68.8281235,48.4456789"] * 2
    assert len(str(points[2]).split()) == 50
    styles = {style.get("id") for style in root.iter(f"{tag}Style")}
    used = {str(url.text)[1:] for url in root.iter(f"{tag}styleUrl")}
    assert used <= styles
    description = root.find(f"{tag}Document/{tag}description")
    assert description is not None
    assert "1 of them have no longitude" in str(description.text)


def test_kml_cuts_a_line_at_the_180th_meridian() -> None:
    """Else programs that draw longitudes as they are draw it around the earth."""
    there_and_back = np.array([179.98, 179.99, -179.99, -179.98, 179.97])
    track = made_track(there_and_back, np.array([10.0, 10.1, 10.3, 10.5, 11.0]))
    root = ET.fromstring(kml_text(made_result(contacts=(), files=(made_file(track=track),))))
    lines = root.findall(f".//{{{NAMESPACE}}}MultiGeometry/{{{NAMESPACE}}}LineString")
    parts = [str(line.findtext(f"{{{NAMESPACE}}}coordinates")).split() for line in lines]
    assert parts == [
        ["179.9800000,10.0000000", "179.9900000,10.1000000", "180.0000000,10.2000000"],
        [
            *("-180.0000000,10.2000000", "-179.9900000,10.3000000", "-179.9800000,10.5000000"),
            "-180.0000000,10.7000000",
        ],
        ["180.0000000,10.7000000", "179.9700000,11.0000000"],
    ]


def test_kml_puts_the_parts_of_a_placemark_in_the_order_of_its_schema() -> None:
    root = ET.fromstring(kml_text(made_result()))
    mark = next(m for m in root.iter(f"{{{NAMESPACE}}}Placemark") if m.get("id"))
    assert [child.tag.split("}")[1] for child in mark] == [
        "name", "description", "TimeStamp", "styleUrl", "ExtendedData", "Point",
    ]  # fmt: skip


def test_kml_survives_names_that_xml_forbids() -> None:
    name = "a\x00\x1b<&>.xtf"
    result = made_result(contacts=(made_contact(source=name),), files=(made_file(name),))
    root = ET.fromstring(kml_text(result))
    assert "a\ufffd\ufffd<&>.xtf" in [e.text for e in root.iter()]


def test_an_impossible_time_is_unknown() -> None:
    assert utc_text(1e30) is None
    assert utc_text(float("nan")) is None
    assert utc_text(None) is None
