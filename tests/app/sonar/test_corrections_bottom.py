"""The bottom found in the data, and when the file's altitude is believed."""

from pathlib import Path

import numpy as np
import pytest

from app.sonar.corrections.bottom import choose_altitude, track_bottom
from app.sonar.recording import read_waterfall
from app.sonar.waterfall import Floats, Navigation, Waterfall

PINGS, SAMPLES, RANGE_M = 600, 800, 50.0
TRUE_M = 9 + 2.5 * np.sin(np.arange(PINGS) / 90)


def waterfall(altitude_m: Floats = TRUE_M, *, told_m: Floats | None = None, seed: int = 0) -> Waterfall:
    """Speckle behind a water column of known height, with the ring of the transmit pulse."""
    rng = np.random.default_rng(seed)
    slant_S = (np.arange(SAMPLES) + 0.5) * RANGE_M / SAMPLES
    sides = []
    for _ in range(2):
        side = np.clip(rng.gamma(4, 25, (PINGS, SAMPLES)), 1, 255)
        water = slant_S[None] < altitude_m[:, None]
        side[water] = rng.gamma(2, 1.0, int(water.sum()))
        side[:, :6] = 200
        sides.append(side.astype(np.uint8))
    return Waterfall(
        source="made",
        first_ping=0,
        port_PS=sides[0],
        starboard_PS=sides[1],
        slant_range_m=np.full(PINGS, RANGE_M),
        navigation=Navigation(time_s=np.arange(float(PINGS)), altitude_m=told_m),
    )


def test_tracked_to_a_few_samples() -> None:
    off = np.abs(track_bottom(waterfall()) - TRUE_M)
    assert np.median(off) < 2 * RANGE_M / SAMPLES
    assert off.max() < 8 * RANGE_M / SAMPLES


def test_fish_structure_and_dropouts_do_not_pull_it_away() -> None:
    made = waterfall()
    assert made.starboard_PS is not None
    assert made.port_PS is not None
    made.starboard_PS[100:180, 60:66] = 255  # a fence in the water column
    made.starboard_PS[300:306, 30:90] = 255  # a shoal
    made.starboard_PS[400:404] = 0
    made.port_PS[400:404] = 0
    off = np.abs(track_bottom(made) - TRUE_M)
    assert off.max() < 12 * RANGE_M / SAMPLES


def test_the_end_of_a_shadow_is_not_the_bottom() -> None:
    made = waterfall()
    for side in (made.port_PS, made.starboard_PS):
        assert side is not None
        side[:, 300:380] = 0  # darker than the water
    assert np.abs(track_bottom(made) - TRUE_M).max() < 12 * RANGE_M / SAMPLES


def test_one_side_and_other_depths_will_do() -> None:
    made = waterfall()
    assert made.starboard_PS is not None
    alone = Waterfall(
        source="made",
        first_ping=0,
        port_PS=None,
        starboard_PS=made.starboard_PS.astype(np.float32) * 117,
        slant_range_m=made.slant_range_m,
        navigation=made.navigation,
    )
    assert np.median(np.abs(track_bottom(alone) - TRUE_M)) < 2 * RANGE_M / SAMPLES


@pytest.mark.parametrize("level", [0, 100])
def test_nothing_to_be_seen_is_none(level: int) -> None:
    flat = np.random.default_rng(0).integers(level, level + 5, (80, 400)).astype(np.uint8)
    made = Waterfall(
        source="made",
        first_ping=0,
        port_PS=flat,
        starboard_PS=flat,
        slant_range_m=np.full(80, 40.0),
        navigation=Navigation(time_s=np.zeros(80)),
    )
    assert np.isnan(track_bottom(made)).all()
    altitude_m, source = choose_altitude(made)
    assert source == "none"
    assert not altitude_m.any()


def test_the_file_is_believed_unless_the_data_clearly_says_otherwise() -> None:
    close = TRUE_M * 1.03
    gaps = np.where(np.arange(PINGS) % 10 == 0, np.nan, close)
    assert choose_altitude(waterfall(told_m=close))[1] == "file"
    altitude_m, source = choose_altitude(waterfall(told_m=gaps))
    assert source == "file"
    np.testing.assert_array_equal(altitude_m, gaps)
    wrong = np.full(PINGS, 20.0)
    altitude_m, source = choose_altitude(waterfall(told_m=wrong))
    assert source == "data"
    assert np.median(np.abs(altitude_m - TRUE_M)) < 0.2
    rarely = np.where(np.arange(PINGS) % 10 == 0, TRUE_M, np.nan)
    assert choose_altitude(waterfall(told_m=rarely))[1] == "data"


def test_a_column_that_was_removed_already_is_not_removed_again() -> None:
    altitude_m, source = choose_altitude(waterfall(told_m=np.zeros(PINGS)))
    assert (source, altitude_m.any()) == ("file", False)


@pytest.mark.parametrize("name", ["Demowreck.xtf", "scotsman-iver2.xtf"])
def test_real_bottom_is_near_the_altimeter(real_data: Path, name: str) -> None:
    made = read_waterfall(real_data / "xtf" / name)
    told_m, tracked_m = made.navigation.altitude_m, track_bottom(made)
    assert told_m is not None
    off = (tracked_m - told_m)[np.isfinite(told_m)]
    # The altimeter of scotsman-iver2 looks ahead of a diving vehicle: 2 m there, centimetres on Demowreck.
    assert np.abs(off).max() < (0.5 if name == "Demowreck.xtf" else 3.5)


def test_real_file_without_altitude(real_data: Path) -> None:
    made = read_waterfall(real_data / "xtf" / "000_1236.xtf")
    altitude_m, source = choose_altitude(made)
    assert source == "data"
    assert np.isfinite(altitude_m).all()
    # Read off the picture: the column is 7 m high at the ladder-like structure and closes to 1.5 m at the end.
    assert altitude_m[100:700].min() > 6
    assert altitude_m[1330:1350].max() < 2
    assert np.abs(np.diff(altitude_m)).max() < 0.25
