"""Write everything that a survey gives into one folder, the files together; the contacts even without the page."""

from dataclasses import dataclass
from pathlib import Path

from app.errors import OutputError
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
        OutputError: the folder cannot be written, and what it held before is unchanged; or the page cannot be
            made, and the contacts are written without one.
    """
    texts = {
        "contacts.geojson": geojson_text(result.contacts),
        "contacts.csv": csv_text(result.contacts),
        "contacts.kml": kml_text(result),
    }
    paths = ReportPaths(
        html=out_dir / "report.html",
        geojson=out_dir / "contacts.geojson",
        csv=out_dir / "contacts.csv",
        kml=out_dir / "contacts.kml",
    )
    no_page: Exception | None = None
    try:
        texts["report.html"] = html_text(result)
    except Exception as error:  # noqa: BLE001 whatever it is, hours of detecting must not be lost to a drawing
        no_page = error
    with atomic_folder(out_dir) as folder:
        for name, text in texts.items():
            # newline="": the line ends are part of the formats and stay as they are on every system.
            # errors: the name of a file from a system that wrote Latin-1 must not cost hours of detecting.
            (folder / name).write_text(text, encoding="utf-8", newline="", errors="replace")
    if no_page is not None:
        paths.html.unlink(missing_ok=True)  # a page of other contacts beside these would mislead
        raise OutputError(
            f"{paths.html} cannot be made ({type(no_page).__name__}: {no_page}); the contacts are in "
            f"{paths.geojson.name}, {paths.csv.name} and {paths.kml.name} beside it: use those, and report the fault"
        ) from no_page
    return paths
