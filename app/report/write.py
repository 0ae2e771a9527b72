"""Write everything that a survey gives into one folder: all files together or none."""

from dataclasses import dataclass
from pathlib import Path

from app.report.csv_file import csv_text
from app.report.geojson import geojson_text
from app.report.html import html_text
from app.report.kml import kml_text
from app.storage import atomic_folder
from app.survey.result import SurveyResult


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportPaths:
    """Where the files lie."""

    html: Path
    geojson: Path
    csv: Path
    kml: Path


def write_report(result: SurveyResult, out_dir: Path) -> ReportPaths:
    """Write `report.html` and the contacts as GeoJSON, CSV and KML; other files in the folder stay.

    Raises:
        OutputError: the folder cannot be written; what it held before is unchanged.
    """
    texts = {
        "contacts.geojson": geojson_text(result.contacts),
        "contacts.csv": csv_text(result.contacts),
        "contacts.kml": kml_text(result),
        "report.html": html_text(result),
    }
    with atomic_folder(out_dir) as folder:
        for name, text in texts.items():
            # newline="": the line ends are part of the formats and stay as they are on every system.
            (folder / name).write_text(text, encoding="utf-8", newline="")
    return ReportPaths(
        html=out_dir / "report.html",
        geojson=out_dir / "contacts.geojson",
        csv=out_dir / "contacts.csv",
        kml=out_dir / "contacts.kml",
    )
