"""Gaps, jumps and missing headings of navigation."""

from pathlib import Path

import numpy as np
import pytest

from app.sonar.navigation import (
    HELD_PINGS,
    LONGEST_GAP_PINGS,
    fill_gaps,
    repair_navigation,
    track_bearing_deg,
    wrapped_deg,
)
from app.sonar.recording import read_waterfall
from app.sonar.waterfall import Floats, Navigation, PositionUnits

PINGS = 200


def straight(units: PositionUnits, bearing_deg: float) -> tuple[Floats, Floats]:
    """0.3 m a ping along a bearing."""
    way_m = np.arange(PINGS) * 0.3
    east, north = way_m * np.sin(np.radians(bearing_deg)), way_m * np.cos(np.radians(bearing_deg))
    if units is PositionUnits.METRES:
        return 571_000 + east, 5_181_000 + north
    return -63 + east / (111_412 * np.cos(np.radians(45)) * 1.00085), 45 + north / 111_132


@pytest.mark.parametrize("units", list(PositionUnits))
@pytest.mark.parametrize("bearing_deg", [0.0, 1.0, 90.0, 215.0, 359.5])
def test_heading_from_the_track(units: PositionUnits, bearing_deg: float) -> None:
    x, y = straight(units, bearing_deg)
    fixed, warnings = repair_navigation(Navigation(time_s=np.arange(float(PINGS)), x=x, y=y, units=units))
    assert fixed.heading_deg is not None
    off = (fixed.heading_deg - bearing_deg + 180) % 360 - 180
    assert np.abs(off).max() < 0.3
    assert ((fixed.heading_deg >= 0) & (fixed.heading_deg < 360)).all()
    assert warnings == (f"{PINGS} headings were taken from the track",)


@pytest.mark.parametrize("units", list(PositionUnits))
def test_gaps_and_jumps_are_mended(units: PositionUnits) -> None:
    true_x, true_y = straight(units, 60)
    x, y = true_x.copy(), true_y.copy()
    x[:3] = y[:3] = np.nan
    x[50:60] = y[50:60] = np.nan
    x[120] += 5000 if units is PositionUnits.METRES else 0.05
    heading = np.full(PINGS, 60.0)
    navigation = Navigation(time_s=np.arange(float(PINGS)), x=x, y=y, units=units, heading_deg=heading)
    fixed, warnings = repair_navigation(navigation)
    assert warnings == (
        "1 positions far off the track were dropped",
        "14 pings without position were interpolated",
    )
    assert fixed.x is not None
    assert fixed.y is not None
    np.testing.assert_allclose(fixed.x[3:], true_x[3:], rtol=1e-12)
    np.testing.assert_allclose(fixed.y[3:], true_y[3:], rtol=1e-12)
    # Before the first fix nothing is known but the fix.
    assert (fixed.x[:3] == true_x[3]).all()
    assert fixed.heading_deg is heading


def test_a_clean_track_with_turns_is_left_alone() -> None:
    angle = np.linspace(0, np.pi, PINGS)
    navigation = Navigation(
        time_s=np.arange(float(PINGS)),
        x=500 * np.sin(angle),
        y=500 * np.cos(angle),
        units=PositionUnits.METRES,
        heading_deg=np.degrees(angle),
    )
    fixed, warnings = repair_navigation(navigation)
    assert warnings == ()
    assert fixed.x is navigation.x


def test_single_headings_missing_across_north() -> None:
    x, y = straight(PositionUnits.METRES, 0)
    heading = np.where(np.arange(PINGS) % 2, 359.0, 1.0)
    heading[90:95] = np.nan
    navigation = Navigation(
        time_s=np.arange(float(PINGS)), x=x, y=y, units=PositionUnits.METRES, heading_deg=heading
    )
    fixed, warnings = repair_navigation(navigation)
    assert fixed.heading_deg is not None
    assert np.minimum(fixed.heading_deg, 360 - fixed.heading_deg).max() <= 1.01
    assert warnings == ("5 headings were taken from the track",)


def test_what_nobody_knows_stays_none() -> None:
    nothing = Navigation(time_s=np.arange(5.0))
    assert repair_navigation(nothing) == (nothing, ())
    standing = Navigation(time_s=np.arange(5.0), x=np.ones(5), y=np.ones(5), units=PositionUnits.METRES)
    assert repair_navigation(standing)[0].heading_deg is None
    unknown = np.full(5, np.nan)
    lost = Navigation(time_s=np.arange(5.0), x=unknown, y=unknown, units=PositionUnits.METRES)
    assert repair_navigation(lost)[0].heading_deg is None
    assert track_bearing_deg(np.ones(1), np.ones(1), PositionUnits.METRES) is None


def test_fill_gaps() -> None:
    values = np.array([np.nan, 2.0, np.nan, np.nan, 8.0, np.nan])
    assert fill_gaps(values).tolist() == [2, 2, 4, 6, 8, 8]
    assert np.isnan(fill_gaps(np.full(3, np.nan))).all()


def test_first_ping_of_a_real_file_at_zero_is_mended(real_data: Path) -> None:
    raw = read_waterfall(real_data / "xtf" / "scotsman-iver2.xtf").navigation
    fixed, warnings = repair_navigation(raw)
    assert fixed.x is not None
    assert fixed.y is not None
    assert np.isfinite(fixed.x).all()
    assert fixed.x[0] == fixed.x[1] == pytest.approx(-68.828, abs=1e-3)
    assert "1 pings without position were interpolated" in warnings


def test_far_from_every_position_nobody_knows_where_the_towfish_was() -> None:
    x, y = straight(PositionUnits.METRES, 60)
    x[:20] = y[:20] = np.nan
    x[100:] = y[100:] = np.nan
    fixed, warnings = repair_navigation(
        Navigation(time_s=np.arange(float(PINGS)), x=x, y=y, units=PositionUnits.METRES)
    )
    assert fixed.x is not None
    assert (fixed.x[:20] == x[20]).all()
    assert (fixed.x[100:][:HELD_PINGS] == x[99]).all()
    assert np.isnan(fixed.x[100 + HELD_PINGS :]).all()
    assert warnings[0] == f"{20 + HELD_PINGS} pings without position were interpolated"
    assert fixed.heading_deg is not None
    np.testing.assert_allclose(fixed.heading_deg, 60, atol=0.3)


def test_a_long_gap_is_not_interpolated() -> None:
    x = np.arange(3 * LONGEST_GAP_PINGS) * 0.1
    short, long = (np.where((x > 50) & (x < 50.05 + 0.1 * n), np.nan, x) for n in (2048, 2049))
    for y, filled in ((short, True), (long, False)):
        nav = Navigation(time_s=x, x=np.where(np.isnan(y), np.nan, 2 * x), y=y, units=PositionUnits.METRES)
        fixed, _ = repair_navigation(nav)
        assert fixed.y is not None
        assert np.isfinite(fixed.y).all() == filled


def test_the_180th_meridian_is_no_jump() -> None:
    """Filled gaps, dropped outliers and the track's direction are those of the same line elsewhere."""
    x, y = straight(PositionUnits.DEGREES, 60)
    x[50:100] = y[50:100] = np.nan
    x[120] += 0.05
    time_s = np.arange(float(PINGS))
    there, warnings = repair_navigation(Navigation(time_s=time_s, x=x, y=y, units=PositionUnits.DEGREES))
    moved = wrapped_deg(x - np.nanmedian(x) + 180)
    assert np.nanmin(moved) < -179
    assert np.nanmax(moved) > 179
    here, same_warnings = repair_navigation(
        Navigation(time_s=time_s, x=moved, y=y, units=PositionUnits.DEGREES)
    )
    assert same_warnings == warnings
    assert here.x is not None
    assert there.x is not None
    assert (np.abs(here.x) <= 180).all()
    off = here.x - (there.x - np.nanmedian(x) + 180)
    np.testing.assert_allclose((off + 180) % 360 - 180, 0, atol=1e-9)
    np.testing.assert_allclose(here.heading_deg, there.heading_deg, atol=1e-4)  # type: ignore[arg-type]
