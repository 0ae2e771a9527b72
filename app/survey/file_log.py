"""Gathers, block by block, what the report says about one file."""

import math
import time
from pathlib import Path

import numpy as np

from app.sonar.recording import Recording
from app.sonar.waterfall import PositionUnits
from app.survey.contact import Contact
from app.survey.correct import CorrectedBlock
from app.survey.options import SurveyOptions
from app.survey.preview import PreviewPainter
from app.survey.result import FileReport, median_or_none
from app.survey.track import TrackKeeper, crab_angles_deg, spacing_near_m

SUSPECT_CRAB_DEG = 10.0
"""Median angle between heading and track from which the report mentions it."""
MOST_WARNINGS = 20
"""Different warnings kept of a file; later ones are counted."""


class FileLog:
    """What was read of one file, so far."""

    def __init__(self, path: Path, options: SurveyOptions, *, source: str) -> None:
        """Nothing read yet; `source` is what the file is called in the report."""
        self._path = path
        self._source = source
        self._options = options
        self._started = time.perf_counter()
        self._preview = PreviewPainter(options.preview_px)
        self._track = TrackKeeper(options.crs)
        self._first: CorrectedBlock | None = None
        self._pings = self._pings_without_position = 0
        self._altitudes_m: list[float] = []
        self._altitude_sources: set[str] = set()
        self._spacings_m: list[float] = []
        self._crab_deg: list[float] = []
        """Medians of the blocks."""
        self._times_s: list[float] = []
        """The first and the last."""
        self._warnings: dict[str, None] = {}
        self._warnings_left_out = 0
        self._error: str | None = None

    def push(self, block: CorrectedBlock) -> None:
        """Note a block."""
        pings = block.pings
        self._first = self._first or block
        self._pings += len(pings.slant_range_m)
        nav = pings.navigation
        placed = 0 if nav.x is None or nav.y is None else int((np.isfinite(nav.x) & np.isfinite(nav.y)).sum())
        self._pings_without_position += len(pings.slant_range_m) - placed
        self._preview.push(block.strip)
        self._track.push(pings, sides=block.strip.images.keys())
        self._altitude_sources.add(block.altitude_source)
        if block.altitude_source != "none":
            self._altitudes_m.append(float(np.median(pings.altitude_m)))
        spacing_m = spacing_near_m(pings, pings.first_ping, 1e9)
        if spacing_m is not None:
            self._spacings_m.append(spacing_m)
        crab_deg = crab_angles_deg(pings)
        self._crab_deg += [float(np.median(crab_deg))] if crab_deg else []
        known = pings.navigation.time_s[np.isfinite(pings.navigation.time_s)]
        times_s = [*self._times_s, float(known.min()), float(known.max())] if known.size else self._times_s
        self._times_s = [min(times_s), max(times_s)] if times_s else []
        for text in (*block.warnings, *self._own_warnings(block)):
            self._warn(text)

    def failed(self, error: Exception) -> None:
        """The file could not be read, or not further."""
        self._error = str(error) or type(error).__name__

    def report(self, contacts: list[Contact], recording: Recording | None) -> FileReport:
        """Everything noted."""
        track, area_km2 = self._track.finish()
        warnings = list(self._warnings) + self._position_warnings()
        warnings += self._grid_warning() + self._heading_warning()
        if self._warnings_left_out:
            warnings.append(f"and {self._warnings_left_out} more warnings")
        first = self._first
        return FileReport(
            source=self._source,
            path=str(self._path),
            error=self._error,
            warnings=tuple(warnings),
            defects=() if recording is None else tuple((d.offset_bytes, d.what) for d in recording.defects),
            pings=self._pings,
            contacts=len(contacts),
            frequency_khz=None if first is None else first.frequency_khz,
            range_m=None if first is None else first.grid.range_m,
            altitude_m=median_or_none(np.array(self._altitudes_m)),
            altitude_source="+".join(sorted(self._altitude_sources - {"none"})) or "none",
            ping_spacing_m=self._spacing_m,
            pixel_m=None if first is None else first.grid.pixel_m,
            start_time_s=min(self._times_s, default=None),
            end_time_s=max(self._times_s, default=None),
            track=track,
            area_km2=area_km2,
            preview=self._preview.finish(),
            seconds=time.perf_counter() - self._started,
        )

    @property
    def _spacing_m(self) -> float | None:
        return median_or_none(np.array(self._spacings_m)) or self._options.ping_spacing_m

    def _position_warnings(self) -> list[str]:
        missing = self._pings_without_position
        if not missing:
            return []
        if missing < self._pings:
            return [
                f"{missing:,} of {self._pings:,} pings have no position, nor any before and after them near enough "
                "to tell it: contacts there are not on the map"
            ]
        texts = ["no positions in the file: its contacts are not on the map"]
        if self._options.ping_spacing_m is None:
            texts.append(
                "distance between pings unknown: sizes along track are left out; give --ping-spacing-m"
            )
        return texts

    def _grid_warning(self) -> list[str]:
        if not self._track.left_the_grid:
            return []
        return [
            f"positions lie outside the grid {self._options.crs}: they and the contacts there are not on the map; "
            "check --crs and the positions"
        ]

    def _heading_warning(self) -> list[str]:
        if not self._crab_deg or self._first is None:
            return []
        angle_deg = float(np.median(self._crab_deg))
        if abs(angle_deg) < SUSPECT_CRAB_DEG:
            return []
        off_m = self._first.grid.range_m * abs(math.sin(math.radians(angle_deg)))
        return [
            f"heading differs from the track by {angle_deg:+.0f} degrees throughout: a current, or a magnetic "
            f"heading; in the second case contacts at full range lie up to {off_m:.0f} m off"
        ]

    def _own_warnings(self, block: CorrectedBlock) -> list[str]:
        nav, texts = block.pings.navigation, []
        if nav.units is PositionUnits.METRES and self._options.crs is None:
            texts.append(
                "positions are metres of a grid that the file does not name: contacts have no longitude and "
                "latitude; add --crs EPSG:..., such as EPSG:32620 for UTM zone 20 north"
            )
        if nav.x is not None and nav.heading_deg is None:
            texts.append("no heading in the file and none from its track: its contacts are not on the map")
        if block.altitude_source == "none":
            texts.append(
                "altitude neither in the file nor found in the data: ranges are slant ranges, no heights"
            )
        return texts

    def _warn(self, text: str) -> None:
        if text in self._warnings:
            return
        if len(self._warnings) >= MOST_WARNINGS:
            self._warnings_left_out += 1
        else:
            self._warnings[text] = None
