"""Contacts as CSV (RFC 4180 with a header line): one row each, the position in degrees first."""

import csv
import io
from collections.abc import Sequence

from app.report.properties import Value, contact_properties, position_deg
from app.survey.contact import Contact

COLUMNS = (
    "identifier", "label", "score", "longitude_deg", "latitude_deg", "along_m", "across_m", "height_m",
    "ground_range_m", "slant_range_m", "altitude_m", "side", "time_utc", "ping", "first_ping", "last_ping",
    "first_sample", "last_sample", "grid_x_m", "grid_y_m", "source",
)  # fmt: skip


def csv_text(contacts: Sequence[Contact]) -> str:
    """One line per contact; an unknown value is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for contact in contacts:
        longitude, latitude = position_deg(contact) or (None, None)
        row = {**contact_properties(contact), "longitude_deg": longitude, "latitude_deg": latitude}
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _cell(value: Value) -> Value:
    """Texts that a spreadsheet would run as a formula are quoted: a file name may be anybody's."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
