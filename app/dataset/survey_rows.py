"""Raw pings of a known track into corrected rows with square pixels, as detection sees them, for cutting tiles.

Shape suffixes: P pings, R rows, W columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.errors import DatasetError, SonarFileError
from app.sonar.blocks import of_one_range, without_short_blocks
from app.sonar.coordinates import ping_spacing_m, to_geographic
from app.sonar.corrections.bottom import choose_altitude
from app.sonar.corrections.gain import normalise_gain
from app.sonar.corrections.geometry import slant_to_ground
from app.sonar.corrections.rows import with_rows
from app.sonar.navigation import fill_gaps, repair_navigation, unwrapped_deg, wrapped_deg
from app.sonar.pixel_size import automatic_pixel_m
from app.sonar.position_gaps import without_position_gaps
from app.sonar.range_setting import typical_range_m
from app.sonar.recording import Recording
from app.sonar.waterfall import Floats, Side, Waterfall

CHUNK_PINGS = 8192
"""Corrected together; an object on the seam is labelled in both parts."""
LEAST_PINGS = 512
"""A shorter part, where the range changes or the recording ends, is joined to its neighbour of the same range."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyRows:
    """Consecutive corrected rows of one recording, each with its place on the earth."""

    images: dict[Side, NDArray[np.uint8]]
    """(R, W) per recorded side, column 0 below the towfish."""
    pixel_m: float
    longitude_R: Floats
    """NaN, as the latitude, where nobody knows it."""
    latitude_R: Floats
    heading_deg_R: Floats
    altitude_m_R: Floats
    """0 where unknown."""

    def __len__(self) -> int:
        return len(self.longitude_R)


def survey_rows(
    recording: Recording, *, crs: str | None = None, pixel_m: float | None = None
) -> Iterator[SurveyRows]:
    """Corrected rows, a chunk of the recording at a time; where the range setting changes a new one begins.

    Args:
        crs: grid of a recording whose positions are projected.
        pixel_m: side of a pixel; chosen as in detection if None.

    Raises:
        DatasetError: the recording has no positions or headings, or in a grid that nobody named.
        SonarFileError: it does not say its range.
    """
    spacing_m: float | None = None
    placed = _placed(recording, crs)
    for chunk in without_short_blocks(of_one_range(placed), least_pings=LEAST_PINGS):
        # In a few pings after a change of range no position may have changed yet: the speed is as before.
        spacing_m = ping_spacing_m(chunk.navigation) or spacing_m
        yield _rows(chunk, crs, pixel_m, spacing_m)


def _placed(recording: Recording, crs: str | None) -> Iterator[Waterfall]:
    """Chunks whose navigation has no short gaps: what a part of one range lacks, the pings around it tell."""
    for waterfall in without_position_gaps(recording.blocks(pings=CHUNK_PINGS)):
        navigation, _ = repair_navigation(waterfall.navigation)
        if to_geographic(navigation.x, navigation.y, navigation.units, crs) is None:
            advice = (
                "give --crs, such as EPSG:32619" if navigation.units else "tiles cannot be cut by position"
            )
            raise DatasetError(f"{waterfall.source} has no positions in degrees; {advice}")
        yield replace(waterfall, navigation=navigation)


def _rows(
    waterfall: Waterfall, crs: str | None, pixel_m: float | None, spacing_m: float | None
) -> SurveyRows:
    navigation, source = waterfall.navigation, waterfall.source
    degrees = to_geographic(navigation.x, navigation.y, navigation.units, crs)
    assert degrees is not None
    if navigation.heading_deg is None or spacing_m is None:
        raise DatasetError(f"{source} does not move: no heading and no distance between pings can be told")
    range_m = typical_range_m(waterfall.slant_range_m)
    if range_m is None or waterfall.samples == 0:
        raise SonarFileError(f"{source} does not say its range; give --range-m")
    if pixel_m is None:
        pixel_m = automatic_pixel_m(range_m / waterfall.samples, spacing_m)
    count = max(1, round(waterfall.pings * spacing_m / pixel_m))
    altitude_m, _ = choose_altitude(waterfall)
    altitude_R = _at_rows(np.nan_to_num(fill_gaps(altitude_m)), count)
    range_R = _at_rows(np.nan_to_num(fill_gaps(waterfall.slant_range_m)), count)
    heading_rad = np.unwrap(np.radians(navigation.heading_deg))
    images = {}
    for side in Side:
        if (raw_PS := waterfall.side(side)) is not None:
            ground = slant_to_ground(
                with_rows(raw_PS, count),
                range_R,
                altitude_R,
                pixel_m=pixel_m,
                width_px=int(np.ceil(range_m / pixel_m)),
            )
            images[side] = normalise_gain(ground)
    return SurveyRows(
        images=images,
        pixel_m=pixel_m,
        longitude_R=wrapped_deg(_at_rows(unwrapped_deg(np.asarray(degrees[0])), count)),
        latitude_R=_at_rows(np.asarray(degrees[1]), count),
        heading_deg_R=np.degrees(_at_rows(heading_rad, count)) % 360,
        altitude_m_R=altitude_R,
    )


def _at_rows(values_P: Floats, rows: int) -> Floats:
    centres = (np.arange(rows) + 0.5) * (len(values_P) / rows) - 0.5
    values_R: Floats = np.interp(centres, np.arange(len(values_P)), values_P)
    return values_R
