"""Positions against known places and against each other."""

import numpy as np
import pytest

from app.errors import SettingsError
from app.sonar.coordinates import distances_m, offset_position, ping_spacing_m, to_geographic
from app.sonar.waterfall import Navigation, PositionUnits

METRES, DEGREES = PositionUnits.METRES, PositionUnits.DEGREES


def test_central_meridian_and_equator_of_a_utm_zone() -> None:
    # By definition 500 km east on the central meridian, 0 km north on the equator; zone 20 is centred on 63 W.
    assert to_geographic(500_000.0, 0.0, METRES, "EPSG:32620") == pytest.approx((-63, 0), abs=1e-9)


def test_degrees_stay_and_unnamed_grids_are_none() -> None:
    assert to_geographic(-68.0, 48.0, DEGREES, "EPSG:32620") == (-68.0, 48.0)
    assert to_geographic(571_000.0, 5_181_000.0, METRES, None) is None
    assert to_geographic(1.0, 2.0, None, "EPSG:32620") is None


def test_outside_the_grid() -> None:
    found = to_geographic(
        np.array([500_000.0, 1e12, np.nan]), np.array([0.0, 1e12, 0.0]), METRES, "EPSG:32620"
    )
    assert found is not None
    for values in found:
        assert np.isnan(values).tolist() == [False, True, True]
    assert to_geographic(1e12, 1e12, METRES, "EPSG:32620") is None


@pytest.mark.parametrize(
    ("crs", "message"),
    [
        ("EPSG:99999999", "--crs 'EPSG:99999999' is unknown; give a code such as EPSG:32619"),
        ("north", "--crs 'north' is unknown"),
        ("EPSG:4326", "--crs 'EPSG:4326' is no grid in metres; give the grid of the positions"),
        ("EPSG:4978", "--crs 'EPSG:4978' is no grid in metres"),
        (
            "EPSG:2225",
            "--crs 'EPSG:2225' is a grid whose unit is the US survey foot; allowed are grids in metres: convert",
        ),
        ("+proj=utm +zone=19 +units=km", "is a grid whose unit is the kilometre"),
    ],
)
def test_wrong_crs(crs: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        to_geographic(571_000.0, 5_181_000.0, METRES, crs)


def test_heights_in_feet_are_no_matter() -> None:
    assert to_geographic(500_000.0, 0.0, METRES, "EPSG:32620+6360") == pytest.approx((-63, 0), abs=1e-9)


def test_offset_goes_where_it_says() -> None:
    # A minute of latitude at 45 degrees is 1852.2 m (WGS 84).
    lon, lat = offset_position(-63.0, 45.0, 0.0, 1852.2)
    assert (lon, lat) == pytest.approx((-63.0, 45 + 1 / 60), abs=1e-6)
    east, same = offset_position(np.array([-63.0]), np.array([45.0]), np.array([90.0]), np.array([100.0]))
    assert east[0] > -63
    assert distances_m(np.array([-63.0, east[0]]), np.array([45.0, same[0]]), DEGREES)[0] == pytest.approx(
        100
    )


@pytest.mark.parametrize("units", [METRES, DEGREES])
def test_spacing_from_fixes_that_repeat(units: PositionUnits) -> None:
    metres = np.repeat(np.arange(60) * 1.5, 5)  # five pings a fix, 0.3 m a ping
    x, y = np.zeros(300), metres
    if units is DEGREES:
        x, y = np.full(300, -63.0), 45 + metres / 111_131.8
    spacing_m = ping_spacing_m(Navigation(time_s=np.arange(300.0), x=x, y=y, units=units))
    assert spacing_m == pytest.approx(0.3, rel=0.07)


def test_spacing_with_gaps_from_speed_or_not_at_all() -> None:
    time_s = np.arange(50) * 0.1
    x = np.arange(50) * 0.25
    x[::7] = np.nan
    y = np.where(np.isnan(x), np.nan, 0.0)
    assert ping_spacing_m(Navigation(time_s=time_s, x=x, y=y, units=METRES)) == pytest.approx(0.25)
    assert ping_spacing_m(Navigation(time_s=time_s, speed_mps=np.full(50, 2.0))) == pytest.approx(0.2)
    assert ping_spacing_m(Navigation(time_s=time_s)) is None
    standing = Navigation(time_s=time_s, x=np.ones(50), y=np.ones(50), units=METRES)
    assert ping_spacing_m(standing) is None
    one = Navigation(time_s=time_s[:1], x=np.ones(1), y=np.ones(1), units=METRES)
    assert ping_spacing_m(one) is None
