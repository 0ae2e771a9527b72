"""Options, grid, pings, blocks, preview, track, and the thread that works ahead."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.errors import SettingsError, SonarFileError
from app.sonar.blocks import join_waterfalls, without_short_blocks
from app.sonar.waterfall import Navigation, PositionUnits, Side
from app.survey.ahead import ahead
from app.survey.grid import choose_grid
from app.survey.options import SurveyOptions
from app.survey.pings import PingTable
from app.survey.preview import PreviewPainter
from app.survey.strip import Strip
from app.survey.track import MOST_POINTS, TrackKeeper, spacing_near_m
from tests.app.survey.made_line import MadeLine

LINE = MadeLine(pings=100)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_score": 1.5}, "min_score=1.5 must lie between 0 and 1"),
        ({"tile_px": 500}, "tile_px=500 must be a multiple of 32"),
        ({"overlap_px": 600}, "overlap_px=600 must lie between 0 and half"),
        ({"batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"pixel_m": 0.0}, "pixel_m=0.0 must be a length"),
        ({"range_m": float("nan")}, "range_m=nan must be a length"),
        ({"layout": "left"}, "layout='left' must be one of"),
        ({"finest_pixel_m": 0.5}, "finest_pixel_m=0.5 must not exceed"),
    ],
)
def test_wrong_options_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        SurveyOptions(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("range_m", "spacing_m", "pixel_m", "rows_per_ping"),
    [
        (75.0, 0.19, 0.19, 1.0),  # as dense as pings: square
        (30.0, 0.05, 0.08, 0.625),  # pings denser than the finest pixel: averaged
        (30.0, 0.60, 0.25, 2.4),  # pings far apart: interpolated
        (400.0, 0.10, 0.4, 0.25),  # samples coarser than the coarsest pixel
        (30.0, None, 0.08, 1.0),  # unknown spacing: every ping a row
        (30.0, 0.085, 0.085, 1.0),
    ],
)
def test_pixels_are_square_and_small_enough(
    range_m: float, spacing_m: float | None, pixel_m: float, rows_per_ping: float
) -> None:
    line = replace(LINE, range_m=range_m, samples=1000)
    grid = choose_grid(line.waterfall(0, 10), ping_spacing_m=spacing_m, options=SurveyOptions())
    assert grid.pixel_m == pytest.approx(pixel_m)
    assert grid.rows_per_ping == pytest.approx(rows_per_ping)
    assert grid.width_px * grid.pixel_m >= range_m - 1e-6


def test_a_recording_without_range_says_what_to_give() -> None:
    nowhere = replace(LINE.waterfall(0, 10), slant_range_m=np.full(10, np.nan))
    with pytest.raises(SonarFileError, match="give it with --range-m"):
        choose_grid(nowhere, ping_spacing_m=0.1, options=SurveyOptions())


def table(**navigation: object) -> PingTable:
    """Ten pings from ping 100 on."""
    return PingTable(
        first_ping=100,
        samples=1000,
        navigation=Navigation(time_s=np.arange(10.0), **navigation),  # type: ignore[arg-type]
        altitude_m=np.full(10, 8.0),
        slant_range_m=np.full(10, 50.0),
    )


def test_heading_is_interpolated_through_north() -> None:
    heading = np.array([358.0] * 5 + [2.0] * 5)
    state = table(heading_deg=heading).at(104.5)
    assert state.heading_deg is not None
    assert min(state.heading_deg, 360 - state.heading_deg) < 1e-6


def test_positions_that_repeat_are_smoothed() -> None:
    x = np.repeat([0.0, 1.0, 2.0, 3.0, 4.0], 2)
    pings = table(x=x, y=np.zeros(10), units=PositionUnits.METRES)
    assert pings.at(104.5).x == pytest.approx(2.0)
    assert abs((pings.at(106).x or 0) - (pings.at(105).x or 0)) == pytest.approx(0.5, abs=0.05)
    assert spacing_near_m(pings, 105, 3) == pytest.approx(4 / 9)


def test_positions_are_smoothed_across_the_180th_meridian() -> None:
    """With a few positions, and with many."""
    x = (np.arange(10) * 0.001 + 179.9955 + 180) % 360 - 180
    for every in (1, 5):
        seen = np.where(np.arange(10) % every == 0, x, np.nan)
        pings = table(x=seen, y=np.zeros(10), units=PositionUnits.DEGREES)
        assert pings.at(102).x == pytest.approx(179.9975, abs=1e-9)
        assert pings.at(105).x == pytest.approx(-179.9995, abs=1e-9)


def test_unknown_fields_stay_unknown() -> None:
    state = table(heading_deg=np.full(10, np.nan)).at(103)
    assert (state.x, state.y, state.heading_deg) == (None, None, None)
    assert spacing_near_m(table(), 105, 3) is None


def test_a_short_last_block_joins_the_one_before() -> None:
    blocks = [LINE.waterfall(0, 40), LINE.waterfall(40, 80), LINE.waterfall(80, 83)]
    joined = list(without_short_blocks(iter(blocks), least_pings=10))
    assert [(b.first_ping, b.pings) for b in joined] == [(0, 40), (40, 43)]
    assert joined[1].navigation.time_s[-1] == blocks[2].navigation.time_s[-1]
    assert joined[1].port_PS is not None
    assert joined[1].port_PS.shape == (43, 1000)


def test_blocks_that_do_not_fit_stay_apart() -> None:
    other = replace(LINE, samples=500).waterfall(40, 43)
    assert len(list(without_short_blocks(iter([LINE.waterfall(0, 40), other]), least_pings=10))) == 2
    assert list(without_short_blocks(iter([]), least_pings=10)) == []


def test_a_field_that_one_block_lacks_is_nan_there() -> None:
    blind = replace(LINE, units=None).waterfall(40, 50)
    joined = join_waterfalls(LINE.waterfall(0, 40), blind)
    assert joined.navigation.x is not None
    assert np.isnan(joined.navigation.x[40:]).all()
    assert joined.navigation.units is PositionUnits.DEGREES


def rows(first: int, count: int, width: int = 400, pixel_m: float = 0.1) -> Strip:
    """Both sides, port dark, starboard bright."""
    return Strip(
        images={
            Side.PORT: np.full((count, width), 50, np.uint8),
            Side.STARBOARD: np.full((count, width), 150, np.uint8),
        },
        ping_edges=np.arange(first, first + count + 1) - 0.5,
        pixel_m=pixel_m,
    )


def test_preview_stays_small_and_keeps_its_pings() -> None:
    painter = PreviewPainter(1000)
    for first in range(0, 20_000, 500):
        painter.push(rows(first, 500))
    preview = painter.finish()
    assert preview is not None
    assert len(preview.image_HW) <= 1000
    assert preview.image_HW.shape[1] >= 600
    assert len(preview.ping_edges) == len(preview.image_HW) + 1
    assert (preview.ping_edges[0], preview.ping_edges[-1]) == (-0.5, 19_999.5)
    assert (np.diff(preview.ping_edges) > 0).all()
    assert preview.image_HW[0, 0] == 50
    assert preview.image_HW[0, -1] == 150
    assert preview.pixel_m * preview.image_HW.shape[1] == pytest.approx(80.0, rel=0.01)


def test_preview_fits_a_changed_range_to_its_first_scale() -> None:
    painter = PreviewPainter(1000)
    painter.push(rows(0, 100))
    painter.push(rows(100, 100, width=200, pixel_m=0.1))
    preview = painter.finish()
    assert preview is not None
    assert preview.image_HW.shape == (200, 800)
    assert preview.image_HW[150, 450] == 150
    assert preview.image_HW[150, 700] == 0


def test_preview_of_nothing_is_none() -> None:
    assert PreviewPainter(1000).finish() is None


def test_track_is_thinned_but_measured_in_full() -> None:
    keeper = TrackKeeper()
    count = 2000
    for first in range(0, 100 * count, count):
        pings = np.arange(first, first + count, dtype=float)
        keeper.push(
            PingTable(
                first_ping=first,
                samples=10,
                navigation=Navigation(time_s=pings, x=pings * 0.1, y=pings * 0, units=PositionUnits.METRES),
                altitude_m=np.full(count, 30.0),
                slant_range_m=np.full(count, 50.0),
            ),
            sides=list(Side),
        )
    track, area_km2 = keeper.finish()
    assert track is not None
    assert len(track.x) <= MOST_POINTS
    assert track.length_m == pytest.approx(19_999.9, abs=0.2)
    assert (track.ping[0], track.ping[-1]) == (0, 199_999)
    assert area_km2 == pytest.approx(20_000 * 80 / 1e6, rel=0.001)


def test_work_ahead_keeps_the_order_and_raises_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("third")

    stream = ahead(items(), depth=1)
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(stream)


def test_work_ahead_is_bounded_and_ends_with_its_reader() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for n in range(1000):
            made.append(n)
            yield n

    stream = ahead(items(), depth=2)
    assert next(iter(stream)) == 0
    time.sleep(0.1)
    assert len(made) <= 4
    stream.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "survey-reader"]
