"""How large a pixel of the corrected picture is: square on the seabed, fine enough for small targets."""

import math
from dataclasses import dataclass

from app.errors import SonarFileError
from app.sonar.pixel_size import automatic_pixel_m
from app.sonar.range_setting import is_same_range, typical_range_m
from app.sonar.waterfall import Waterfall
from app.survey.options import SurveyOptions

SAME_SHAPE = 0.15
"""Rows are left as they are while a pixel is square to this share: resampling costs time and sharpness."""
SAME_SPACING = 1.5
"""So many times the distance between pings, or so many times less, starts a new grid: the speed of a survey varies
less, and a picture out of shape by more hides small objects from the network."""
LEAST_ROWS_PER_PING, MOST_ROWS_PER_PING = 1 / 64, 16.0
"""A towfish that stands must not leave a block without rows, nor positions that jump one that fills the memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyGrid:
    """Pixels of the corrected picture for pings that were recorded with one range setting."""

    pixel_m: float
    width_px: int
    """Columns of a side."""
    rows_per_ping: float
    """1: every ping is a row; below, pings are averaged; above, rows are interpolated between pings."""
    range_m: float
    samples: int
    warnings: tuple[str, ...] = ()
    """Where the pixels could not be made square."""

    def fits(self, waterfall: Waterfall) -> bool:
        """Whether a later block was recorded with the same settings."""
        range_m = typical_range_m(waterfall.slant_range_m)
        return (
            waterfall.samples == self.samples and range_m is not None and is_same_range(self.range_m, range_m)
        )


def choose_grid(waterfall: Waterfall, *, ping_spacing_m: float | None, options: SurveyOptions) -> SurveyGrid:
    """Pixel size and width for a block and those like it.

    Args:
        waterfall: the first block with these settings.
        ping_spacing_m: distance between pings; None where unknown, then every ping is a row.
        options: `pixel_m` overrides the choice.

    Raises:
        SonarFileError: the recording does not say its range.
    """
    range_m, samples = typical_range_m(waterfall.slant_range_m), waterfall.samples
    if range_m is None or samples == 0:
        raise SonarFileError(
            f"{waterfall.source}: the recording does not say its slant range; "
            "give it with --range-m, such as 75"
        )
    pixel_m = options.pixel_m
    if pixel_m is None:
        pixel_m = automatic_pixel_m(
            range_m / samples,
            ping_spacing_m,
            finest_m=options.finest_pixel_m,
            coarsest_m=options.coarsest_pixel_m,
        )
    rows_per_ping = 1.0 if ping_spacing_m is None else ping_spacing_m / pixel_m
    if abs(math.log(max(rows_per_ping, 1e-6))) < SAME_SHAPE:
        rows_per_ping = 1.0
    warnings = []
    if rows_per_ping < LEAST_ROWS_PER_PING:
        warnings.append(
            "the towfish hardly moved for a while: the picture is stretched along track there, small objects may "
            "be missed; if it moved, give --ping-spacing-m"
        )
    if rows_per_ping > MOST_ROWS_PER_PING:
        warnings.append(
            "pings lie metres apart: the picture is squashed along track there, small objects may be missed; if "
            "positions are wrong, give --ping-spacing-m"
        )
    return SurveyGrid(
        pixel_m=pixel_m,
        # Ground range never exceeds slant range, and the altitude may fall later in the line.
        width_px=max(1, math.ceil(range_m / pixel_m)),
        rows_per_ping=min(max(rows_per_ping, LEAST_ROWS_PER_PING), MOST_ROWS_PER_PING),
        range_m=range_m,
        samples=samples,
        warnings=tuple(warnings),
    )


def is_same_spacing(first_m: float, second_m: float) -> bool:
    """Whether a grid made for one distance between pings does for the other."""
    return first_m / SAME_SPACING <= second_m <= first_m * SAME_SPACING
