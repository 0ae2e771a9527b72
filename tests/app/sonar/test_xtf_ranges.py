"""Sides that were recorded with ranges or numbers of samples of their own: brought to one range."""

from pathlib import Path

import numpy as np
import pytest

from app.sonar.recording import read_waterfall
from app.sonar.waterfall import Side, Waterfall
from tests.app.sonar.xtf_bytes import PAIR, file_header, ping

PINGS = 40
ECHO_M = 30.0
"""Slant range at which either side shows one bright line."""


def line_at(echo_m: float, range_m: float, samples: int) -> np.ndarray:
    values = np.full(samples, 20, dtype=np.uint8)
    at = int(echo_m / range_m * samples)
    values[at - 1 : at + 2] = 200
    return values


def made(path: Path, *, port: tuple[float, int], starboard: tuple[float, int], apart: bool) -> Waterfall:
    """A file whose sides have these ranges and numbers of samples, in one packet (of one range) or in two."""
    stored = {0: line_at(ECHO_M, *port)[::-1], 1: line_at(ECHO_M, *starboard)}
    parts = [file_header(PAIR)]
    for number in range(PINGS):
        if apart:
            for channel, (range_m, _) in ((0, port), (1, starboard)):
                one = {channel: stored[channel]}
                parts.append(ping(one, number=number, ping_number=number + 1, slant_range_m=range_m))
        else:
            assert port[0] == starboard[0]
            parts.append(ping(stored, number=number, slant_range_m=port[0]))
    path.write_bytes(b"".join(parts))
    return read_waterfall(path)


@pytest.mark.parametrize(
    ("port", "starboard", "apart"),
    [
        ((50.0, 400), (50.0, 800), False),
        ((50.0, 800), (50.0, 400), False),
        ((50.0, 400), (50.0, 800), True),
        ((50.0, 400), (100.0, 400), True),
        ((100.0, 400), (50.0, 800), True),
    ],
)
def test_an_echo_at_one_range_lies_in_one_column(
    tmp_path: Path, port: tuple[float, int], starboard: tuple[float, int], apart: bool
) -> None:
    ours = made(tmp_path / "a.xtf", port=port, starboard=starboard, apart=apart)
    for side in Side:
        samples_PS = ours.side(side)
        assert samples_PS is not None
        sample_m = ours.slant_range_m[0] / samples_PS.shape[1]
        seen = np.flatnonzero(samples_PS.mean(0) > 60)
        assert (seen.mean() + 0.5) * sample_m == pytest.approx(ECHO_M, abs=0.5)
        # What either side recorded is there to its end.
        last_m = (np.flatnonzero(samples_PS.any(0)).max() + 1) * sample_m
        assert last_m == pytest.approx((port if side is Side.PORT else starboard)[0], abs=0.5)


def test_sides_of_nearly_one_range_stay_as_stored(tmp_path: Path) -> None:
    ours = made(tmp_path / "a.xtf", port=(50.0, 400), starboard=(50.0, 399), apart=False)
    np.testing.assert_array_equal(ours.starboard_PS[0, :399], line_at(ECHO_M, 50.0, 399))  # type: ignore[index]
    np.testing.assert_array_equal(ours.port_PS[0], line_at(ECHO_M, 50.0, 400))  # type: ignore[index]
    assert (ours.slant_range_m == 50).all()


def test_one_damaged_range_moves_nothing(tmp_path: Path) -> None:
    stored = {0: line_at(ECHO_M, 50.0, 400)[::-1], 1: line_at(ECHO_M, 50.0, 400)}
    parts = [file_header(PAIR)]
    for number in range(PINGS):
        for channel in (0, 1):
            range_m = 5.0 if (number, channel) == (7, 1) else 50.0
            one = {channel: stored[channel]}
            parts.append(ping(one, number=number, ping_number=number + 1, slant_range_m=range_m))
    path = tmp_path / "a.xtf"
    path.write_bytes(b"".join(parts))
    ours = read_waterfall(path)
    assert (ours.starboard_PS == stored[1]).all()
