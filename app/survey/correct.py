"""A block of raw pings into corrected rows: water column out, ground range, even brightness, square pixels.

Shape suffixes: P pings, S samples, R rows of the corrected picture.
"""

from dataclasses import dataclass

import numpy as np

from app.sonar.coordinates import ping_spacing_m
from app.sonar.corrections.bottom import choose_altitude
from app.sonar.corrections.gain import GainState, normalise_gain_after
from app.sonar.corrections.geometry import slant_to_ground
from app.sonar.corrections.rows import with_rows
from app.sonar.navigation import fill_gaps, repair_navigation
from app.sonar.waterfall import Floats, Navigation, Side, Waterfall
from app.survey.grid import SurveyGrid, choose_grid, is_same_spacing
from app.survey.options import SurveyOptions
from app.survey.pings import PingTable, ping_table
from app.survey.strip import Strip


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrectedBlock:
    """One block ready for the network, and what is needed to place what is found in it."""

    strip: Strip
    pings: PingTable
    grid: SurveyGrid
    ping_spacing_m: float | None
    """Distance between pings that the grid is made for; None before it is first known."""
    altitude_source: str
    """`file`, `data` or `none`."""
    frequency_khz: float | None
    warnings: tuple[str, ...]


class Corrector:
    """Corrects the blocks of one recording in turn; the grid stays while range setting and speed stay."""

    def __init__(self, options: SurveyOptions) -> None:
        self._options = options
        self._grid: SurveyGrid | None = None
        self._gain: dict[Side, GainState | None] = {}
        self._grid_spacing_m: float | None = options.ping_spacing_m
        """Distance between pings that the grid is made for; None where neither options nor positions tell it."""

    def correct(self, waterfall: Waterfall) -> CorrectedBlock:
        """Correct one block.

        Raises:
            SonarFileError: the recording does not say its range and the options do not either.
        """
        navigation, warnings = repair_navigation(waterfall.navigation)
        has_new_spacing = self._measure_spacing(navigation)
        altitude_m, altitude_source = choose_altitude(waterfall)
        if self._grid is None or not self._grid.fits(waterfall):
            self._grid = self._new_grid(waterfall)
            self._gain = {}
        elif has_new_spacing:
            # The state of the gain stays: brightness does not depend on speed.
            self._grid = self._new_grid(waterfall)
        pings = ping_table(waterfall, navigation, _filled(altitude_m, 0.0))
        strip = self._strip(waterfall, pings.altitude_m, self._grid)
        return CorrectedBlock(
            strip=strip,
            pings=pings,
            grid=self._grid,
            ping_spacing_m=self._grid_spacing_m,
            altitude_source=altitude_source,
            frequency_khz=waterfall.frequency_khz,
            warnings=waterfall.warnings + warnings + self._grid.warnings,
        )

    def _measure_spacing(self, navigation: Navigation) -> bool:
        """Whether this block's distance between pings is another than the grid's; where unknown it is not."""
        if self._options.ping_spacing_m is not None:
            return False
        measured_m = ping_spacing_m(navigation)
        if measured_m is None:
            return False
        if self._grid_spacing_m is not None and is_same_spacing(self._grid_spacing_m, measured_m):
            return False
        self._grid_spacing_m = measured_m
        return True

    def _new_grid(self, waterfall: Waterfall) -> SurveyGrid:
        return choose_grid(waterfall, ping_spacing_m=self._grid_spacing_m, options=self._options)

    def _strip(self, waterfall: Waterfall, altitude_m: Floats, grid: SurveyGrid) -> Strip:
        rows = max(1, round(waterfall.pings * grid.rows_per_ping))
        old_edges = np.linspace(0, waterfall.pings, rows + 1)
        range_R = _per_row(_filled(waterfall.slant_range_m, grid.range_m), old_edges)
        altitude_R = _per_row(altitude_m, old_edges)
        images = {}
        for side in Side:
            raw_PS = waterfall.side(side)
            if raw_PS is None:
                continue
            ground = slant_to_ground(
                with_rows(raw_PS, rows), range_R, altitude_R, pixel_m=grid.pixel_m, width_px=grid.width_px
            )
            images[side], self._gain[side] = normalise_gain_after(ground, self._gain.get(side))
        return Strip(images=images, ping_edges=waterfall.first_ping - 0.5 + old_edges, pixel_m=grid.pixel_m)


def _per_row(values_P: Floats, row_edges: Floats) -> Floats:
    """(P,) values at the centres of rows."""
    if len(row_edges) - 1 == len(values_P):
        return values_P
    centres = (row_edges[:-1] + row_edges[1:]) / 2 - 0.5
    return np.interp(centres, np.arange(len(values_P)), values_P)


def _filled(values_P: Floats, fallback: float) -> Floats:
    """NaN replaced by interpolation between known neighbours, or by `fallback` where nothing is known."""
    return fill_gaps(values_P) if np.isfinite(values_P).any() else np.full(len(values_P), fallback)
