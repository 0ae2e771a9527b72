"""The map: one drawing for each area that was surveyed, with lines, swaths, contacts, ticks and a scale bar.

Coordinates of a drawing are pixels of its viewBox, `WIDTH_PX` wide.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.report.projection import Projection, degrees_text, nice_step, projection_around
from app.sonar.waterfall import Floats, PositionUnits
from app.survey.contact import Contact
from app.survey.result import FileReport, SurveyResult, Track

WIDTH_PX = 1000.0
HEIGHTS_PX = (420.0, 620.0)
MARGIN_M = 12.0
LABELS_PX = 34.0
"""The longitudes are written at the top, and each latitude above its line: none so near the top that it is cut off."""
NEIGHBOURS_M = 5_000.0
"""Files closer to each other than this share a map."""
MOST_LINE_POINTS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One file's track."""

    source: str
    points: str
    """For a polyline."""
    swaths: tuple[str, ...]
    """For polygons: the seabed that each side saw, across the towfish's heading."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One contact on the map."""

    contact: Contact
    x: float
    y: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A line of the graticule."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AreaMap:
    """Everything the page needs to draw one area."""

    title: str
    height_px: float
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]
    scale_px: float
    scale_m: float
    scale_text: str


def survey_maps(result: SurveyResult) -> list[AreaMap]:
    """A drawing per area; empty where no file has positions."""
    maps = []
    for files in _areas([file for file in result.files if file.track is not None]):
        sources = {file.source for file in files}
        maps.append(_area_map(files, [c for c in result.contacts if c.source in sources]))
    return maps


def _areas(files: Sequence[FileReport]) -> list[list[FileReport]]:
    """Files grouped by neighbourhood, transitively."""
    areas: list[list[FileReport]] = []
    for file in files:
        near = [area for area in areas if any(_near(file, other) for other in area)]
        areas = [area for area in areas if area not in near]
        areas.append([*(other for area in near for other in area), file])
    return areas


def _near(a: FileReport, b: FileReport) -> bool:
    first, second = a.track, b.track
    if first is None or second is None or first.units is not second.units:
        return False
    projection = projection_around([float(first.x[0])], [float(first.y[0])], first.units)
    (ax, ay), (bx, by) = (projection.metres(t.x, t.y) for t in (first, second))
    gap_x = max(0.0, float(max(ax.min(), bx.min()) - min(ax.max(), bx.max())))
    gap_y = max(0.0, float(max(ay.min(), by.min()) - min(ay.max(), by.max())))
    return bool(np.hypot(gap_x, gap_y) < NEIGHBOURS_M)


def _area_map(files: Sequence[FileReport], contacts: Sequence[Contact]) -> AreaMap:
    tracks = [file.track for file in files if file.track is not None]
    units = tracks[0].units
    placed = [(c, place) for c in contacts if (place := _place(c, units)) is not None]
    xs = np.concatenate([*(t.x for t in tracks), [p[0] for _, p in placed]])
    ys = np.concatenate([*(t.y for t in tracks), [p[1] for _, p in placed]])
    projection = projection_around(xs.tolist(), ys.tolist(), units)
    right, down = projection.metres(xs, ys)
    reach_m = max(float(max(track.port_m.max(), track.starboard_m.max())) for track in tracks)
    frame = _Frame(right.min(), right.max(), down.min(), down.max(), margin_m=reach_m + MARGIN_M)
    lines = tuple(
        Line(
            source=file.source,
            points=frame.points(*projection.metres(track.x[_kept(track)], track.y[_kept(track)])),
            swaths=tuple(_swaths(frame, projection, track)),
        )
        for file in files
        if (track := file.track) is not None
    )
    marks = []
    for contact, (x, y) in placed:
        mark_right, mark_down = projection.metres(np.array([x]), np.array([y]))
        marks.append(Mark(contact=contact, x=frame.x(mark_right[0]), y=frame.y(mark_down[0])))
    scale_m = nice_step(frame.width_m, 5)
    return AreaMap(
        title=", ".join(file.source for file in files),
        height_px=frame.height_px,
        lines=lines,
        marks=tuple(marks),
        ticks_x=_ticks_x(frame, projection),
        ticks_y=_ticks_y(frame, projection),
        scale_px=round(scale_m * frame.px_per_m, 1),
        scale_m=scale_m,
        scale_text=f"{scale_m / 1000:g} km" if scale_m >= 1000 else f"{scale_m:g} m",
    )


class _Frame:
    """Which metres the drawing shows."""

    def __init__(self, left: float, right: float, top: float, bottom: float, *, margin_m: float) -> None:
        width_m, height_m = right - left + 2 * margin_m, bottom - top + 2 * margin_m
        least, most = HEIGHTS_PX
        self.px_per_m = min(WIDTH_PX / width_m, most / height_m)
        self.height_px = min(most, max(least, height_m * self.px_per_m))
        self.width_m, self.height_m = WIDTH_PX / self.px_per_m, self.height_px / self.px_per_m
        self.left_m = (left + right) / 2 - self.width_m / 2
        self.top_m = (top + bottom) / 2 - self.height_m / 2

    def x(self, right_m: float) -> float:
        return round(float((right_m - self.left_m) * self.px_per_m), 1)

    def y(self, down_m: float) -> float:
        return round(float((down_m - self.top_m) * self.px_per_m), 1)

    def points(self, right: Floats, down: Floats) -> str:
        return " ".join(f"{self.x(r)},{self.y(d)}" for r, d in zip(right, down, strict=True))


def _kept(track: Track) -> NDArray[np.int64]:
    """Which of its points are drawn: at most about `MOST_LINE_POINTS`, the last one among them."""
    every = max(1, len(track.x) // MOST_LINE_POINTS)
    return np.unique(np.append(np.arange(0, len(track.x), every), len(track.x) - 1))


def _swaths(frame: _Frame, projection: Projection, track: Track) -> Iterator[str]:
    """One polygon a side, from the track out to where it looked."""
    if track.heading_deg is None:
        return
    kept = _kept(track)
    kept = kept[np.isfinite(track.heading_deg[kept])]
    right, down = projection.metres(track.x[kept], track.y[kept])
    for reach_m, turn in ((track.port_m[kept], -90.0), (track.starboard_m[kept], 90.0)):
        bearing = np.radians(track.heading_deg[kept] + turn)
        outer_right, outer_down = right + reach_m * np.sin(bearing), down - reach_m * np.cos(bearing)
        if (reach_m > 0).any():
            yield frame.points(
                np.concatenate([right, outer_right[::-1]]), np.concatenate([down, outer_down[::-1]])
            )


def _ticks_x(frame: _Frame, projection: Projection) -> tuple[Tick, ...]:
    first, _ = projection.position(frame.left_m, 0)
    last, _ = projection.position(frame.left_m + frame.width_m, 0)
    step = nice_step(last - first, 5, projection.units)
    values = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
    at = [frame.left_m + (v - first) / (last - first) * frame.width_m for v in values]
    return tuple(
        Tick(at=frame.x(a), text=_tick_text(float(v), projection.units, "EW"))
        for a, v in zip(at, values, strict=True)
    )


def _ticks_y(frame: _Frame, projection: Projection) -> tuple[Tick, ...]:
    _, first = projection.position(0, frame.top_m + frame.height_m)
    _, last = projection.position(0, frame.top_m)
    step = nice_step(last - first, 4, projection.units)
    values = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step
    at = [frame.y(frame.top_m + (last - v) / (last - first) * frame.height_m) for v in values]
    return tuple(
        Tick(at=a, text=_tick_text(float(v), projection.units, "NS"))
        for a, v in zip(at, values, strict=True)
        if a >= LABELS_PX
    )


def _tick_text(value: float, units: PositionUnits, letters: str) -> str:
    if units is PositionUnits.METRES:
        return f"{value:,.0f} m {letters[0]}"
    if letters == "EW":
        value = (value + 180) % 360 - 180
    return degrees_text(value, letters)


def _place(contact: Contact, units: PositionUnits) -> tuple[float, float] | None:
    x, y = (
        (contact.longitude, contact.latitude)
        if units is PositionUnits.DEGREES
        else (contact.grid_x_m, contact.grid_y_m)
    )
    return None if x is None or y is None else (x, y)
