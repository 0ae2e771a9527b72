"""Files that give the ship's position, the towfish's, or both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.sonar.coordinates import WGS84
from app.sonar.recording import open_recording, read_waterfall
from app.sonar.waterfall import PositionUnits
from tests.app.sonar.xtf_bytes import PAIR, file_header, ping, seabed

PINGS = 300
LAYBACK_M = 120.0
UNSET = {"x": 0.0, "y": 0.0}


def made(path: Path, fields: Callable[[int], dict[str, Any]], *, nav_units: int = 3) -> Path:
    """A file whose ping headers are what a function of the ping's number says."""
    side = seabed(PINGS, 90)
    pings = [ping({0: row[::-1], 1: row}, number=n, **fields(n)) for n, row in enumerate(side)]
    path.write_bytes(file_header(PAIR, nav_units=nav_units) + b"".join(pings))
    return path


def ship_at(number: int, **fields: float) -> dict[str, float]:
    """Eastwards, 0.7 m a ping; the towfish's position is unset."""
    return {**UNSET, "ship_x": -68.0 + number * 1e-5, "ship_y": 48.0, **fields}


def test_the_ships_position_is_not_taken_silently(tmp_path: Path) -> None:
    ours = read_waterfall(made(tmp_path / "a.xtf", ship_at))
    assert ours.navigation.x is not None
    np.testing.assert_allclose(ours.navigation.x, -68.0 + np.arange(PINGS) * 1e-5, rtol=1e-12)
    (warning,) = ours.warnings
    assert warning.startswith(
        "positions are the ship's, the file has none of the towfish: behind a towing ship"
    )


@pytest.mark.parametrize(
    ("heading_deg", "gyro_deg", "astern_deg"),
    [
        (90.0, 0.0, 270.0),
        (
            70.0,
            100.0,
            280.0,
        ),  # the cable trails along the ship's heading, whatever the towfish's compass says
        (0.0, 0.0, 270.0),  # no heading at all: the track tells it
    ],
)
def test_layback_moves_degrees_astern(
    tmp_path: Path, heading_deg: float, gyro_deg: float, astern_deg: float
) -> None:
    path = made(
        tmp_path / "a.xtf",
        lambda n: ship_at(n, layback_m=LAYBACK_M, heading_deg=heading_deg, ship_gyro_deg=gyro_deg),
    )
    ours = read_waterfall(path)
    assert ours.navigation.x is not None
    assert ours.navigation.y is not None
    ship_x, ship_y = -68.0 + np.arange(PINGS) * 1e-5, np.full(PINGS, 48.0)
    bearing_deg, _, way_m = WGS84.inv(ship_x, ship_y, ours.navigation.x, ours.navigation.y)
    np.testing.assert_allclose(way_m, LAYBACK_M, atol=1e-3)
    np.testing.assert_allclose(np.asarray(bearing_deg) % 360, astern_deg, atol=0.01)
    assert ours.warnings == (
        "positions are the ship's, the file has none of the towfish: moved astern by the layback that it tells",
    )


def test_layback_follows_the_track_across_the_180th_meridian_in_a_gap(tmp_path: Path) -> None:
    def crossing(number: int, meridian_deg: float) -> dict[str, float]:
        x = meridian_deg + (number - PINGS / 2) * 1e-5
        away = 140 <= number < 160
        return ship_at(number, layback_m=LAYBACK_M, heading_deg=0.0, ship_gyro_deg=0.0) | {
            "ship_x": 0.0 if away else (x + 180) % 360 - 180,
            "ship_y": 0.0 if away else 48.0,
        }

    here, there = (
        read_waterfall(made(tmp_path / f"{meridian_deg}.xtf", lambda n, m=meridian_deg: crossing(n, m)))
        for meridian_deg in (-68.0, 180.0)
    )
    assert here.navigation.x is not None
    assert there.navigation.x is not None
    off = there.navigation.x - here.navigation.x - (180 + 68)
    assert np.isnan(off).sum() == 20
    np.testing.assert_allclose((off[np.isfinite(off)] + 180) % 360 - 180, 0, atol=1e-9)


def test_layback_moves_metres_astern(tmp_path: Path) -> None:
    """Through north, and with a gap in the layback."""
    path = made(
        tmp_path / "a.xtf",
        lambda n: {
            **UNSET,
            "ship_x": 571_000.0,
            "ship_y": 5_181_000.0 + n * 0.7,
            "heading_deg": 359.0 if n % 2 else 1.0,
            "layback_m": 0.0 if 100 < n < 110 else LAYBACK_M,
        },
        nav_units=0,
    )
    navigation = read_waterfall(path).navigation
    assert navigation.units is PositionUnits.METRES
    assert navigation.x is not None
    assert navigation.y is not None
    np.testing.assert_allclose(navigation.x, 571_000, atol=2.2)
    np.testing.assert_allclose(navigation.y, 5_181_000 + np.arange(PINGS) * 0.7 - LAYBACK_M, atol=0.05)


@pytest.mark.parametrize("towfish_from", [10, 290])
def test_a_line_does_not_jump_between_ship_and_towfish(tmp_path: Path, towfish_from: int) -> None:
    """Whose position is taken is decided by the whole file, whatever a block holds."""

    def fields(number: int) -> dict[str, float]:
        towfish = {"x": -67.0, "y": 48.0} if number >= towfish_from else UNSET
        return {**ship_at(number, ship_x=-68.0), **towfish}

    path = made(tmp_path / "a.xtf", fields)
    found: set[float] = set()
    for block in open_recording(path).blocks(pings=10):
        x = block.navigation.x
        found |= set() if x is None else set(x[np.isfinite(x)].tolist())
    assert found == {-67.0 if towfish_from == 10 else -68.0}


def test_the_towfishs_position_goes_before_the_ships(tmp_path: Path) -> None:
    path = made(tmp_path / "a.xtf", lambda n: {**ship_at(n, layback_m=LAYBACK_M), "x": -67.0, "y": 48.0})
    ours = read_waterfall(path)
    assert ours.navigation.x is not None
    assert (ours.navigation.x == -67.0).all()
    assert ours.warnings == ()
