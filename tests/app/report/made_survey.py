"""A survey result without a survey: what the report is tested with."""

import numpy as np
from numpy.typing import NDArray

from app.sonar.waterfall import PositionUnits, Side
from app.survey.contact import Contact
from app.survey.options import SurveyOptions
from app.survey.result import FileReport, Preview, SurveyResult, Track


def made_contact(number: int = 1, **changes: object) -> Contact:
    """A contact off Maine; `changes` replace single fields."""
    values: dict[str, object] = {
        "identifier": f"C{number:04d}",
        "label": "target",
        "score": 0.87,
        "source": "line-1.xtf",
        "side": Side.STARBOARD,
        "ping": 500,
        "ping_range": (490, 510),
        "sample_range": (300, 340),
        "slant_range_m": 22.5,
        "ground_range_m": 21.4,
        "box_ground_m": (20.5, 25.0),
        "altitude_m": 7.0,
        "along_m": 1.9,
        "across_m": 4.5,
        "height_m": 1.2,
        "time_s": 1_700_000_000.25,
        "longitude": -68.8281234567,
        "latitude": 48.4456789012,
        "grid_x_m": None,
        "grid_y_m": None,
        "thumbnail": speckle(96, 128, seed=number),
        "thumbnail_box_xyxy_px": (40, 30, 80, 60),
    }
    return Contact(**(values | changes))  # type: ignore[arg-type]


def made_file(source: str = "line-1.xtf", **changes: object) -> FileReport:
    """A file with a track 200 m long and a preview."""
    ping = np.linspace(0, 1000, 50)
    values: dict[str, object] = {
        "source": source,
        "path": f"/data/{source}",
        "pings": 1000,
        "contacts": 1,
        "frequency_khz": 455.0,
        "range_m": 50.0,
        "altitude_m": 7.0,
        "altitude_source": "file",
        "ping_spacing_m": 0.2,
        "pixel_m": 0.2,
        "start_time_s": 1_700_000_000.0,
        "end_time_s": 1_700_000_100.0,
        "track": Track(
            ping=ping,
            x=np.linspace(-68.829, -68.8275, 50),
            y=np.linspace(48.4450, 48.4464, 50),
            units=PositionUnits.DEGREES,
            heading_deg=np.full(50, 35.0),
            port_m=np.full(50, 40.0),
            starboard_m=np.full(50, 40.0),
            length_m=200.0,
        ),
        "area_km2": 0.02,
        "preview": Preview(
            image_HW=speckle(500, 250, seed=1),
            ping_edges=np.linspace(-0.5, 999.5, 501),
            nadir_px=125,
            pixel_m=0.4,
        ),
        "seconds": 0.5,
    }
    return FileReport(**(values | changes))  # type: ignore[arg-type]


def made_track(x: NDArray[np.float64], y: NDArray[np.float64]) -> Track:
    """A track in degrees, heading east, that saw 40 m to each side."""
    return Track(
        ping=np.arange(float(len(x))),
        x=x,
        y=y,
        units=PositionUnits.DEGREES,
        heading_deg=np.full(len(x), 90.0),
        port_m=np.full(len(x), 40.0),
        starboard_m=np.full(len(x), 40.0),
        length_m=200.0,
    )


def made_result(
    contacts: tuple[Contact, ...] | None = None, files: tuple[FileReport, ...] | None = None
) -> SurveyResult:
    """One file with one contact unless told otherwise."""
    return SurveyResult(
        contacts=(made_contact(),) if contacts is None else contacts,
        files=(made_file(),) if files is None else files,
        options=SurveyOptions(),
        class_names=("target", "ship", "aircraft"),
        model="test model, no network",
        seconds=1.5,
        stage_s={"read": 0.2, "network": 1.0},
    )


def speckle(rows: int, columns: int, *, seed: int) -> NDArray[np.uint8]:
    """Grey seabed with speckle."""
    noise = np.random.default_rng(seed).normal(95, 30, (rows, columns))
    return np.clip(noise, 0, 255).astype(np.uint8)
