"""Files that keep port and starboard in packets of their own, against the sides that they were made from."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import SonarFileError
from app.sonar.recording import open_recording, read_waterfall
from app.sonar.waterfall import Side
from tests.app.sonar.xtf_bytes import PAIR, PORT, STARBOARD, MadeChannel, file_header, packet, ping, seabed

PINGS, SAMPLES = 60, 400
SEABED = {Side.PORT: seabed(PINGS, SAMPLES, seed=1), Side.STARBOARD: seabed(PINGS, SAMPLES, seed=2)}
WAYS: dict[str, Callable[[int, int], dict[str, int]]] = {
    "the same ping number": lambda row, side: {"ping_number": row + 1, "number": 2 * row + side},
    "the same time": lambda row, side: {"ping_number": 2 * row + side, "number": row},
    "their order alone": lambda row, side: {"number": 2 * row + side},
}


def sides_apart(path: Path, way: str, *, without: Iterable[tuple[int, int]] = (), first: int = 0) -> Path:
    """A file with a packet for each side of a ping.

    Args:
        without: (ping, channel) of packets that are missing.
        first: channel whose packet begins a ping.
    """
    parts = [file_header(PAIR)]
    for row in range(PINGS):
        stored = {0: SEABED[Side.PORT][row][::-1], 1: SEABED[Side.STARBOARD][row]}
        for channel in (first, 1 - first):
            if (row, channel) not in without:
                fields: dict[str, Any] = WAYS[way](row, int(channel != first))
                parts.append(ping({channel: stored[channel]}, x=-68.0 + row * 1e-5, **fields))
        parts += [packet(3, b"attitude")] if row % 5 == 0 else []
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("block_pings", [7, 5000])
def test_sides_of_a_ping_come_together(tmp_path: Path, way: str, first: int, block_pings: int) -> None:
    recording = open_recording(sides_apart(tmp_path / "a.xtf", way, first=first))
    assert recording.ping_count() == PINGS
    blocks = list(recording.blocks(pings=block_pings))
    assert [b.pings for b in blocks[:-1]] == [block_pings] * (len(blocks) - 1)
    assert recording.defects == ()
    for side, expected in SEABED.items():
        rows = np.concatenate([b.side(side) for b in blocks])  # type: ignore[misc]
        np.testing.assert_array_equal(rows, expected)
    x = np.concatenate([b.navigation.x for b in blocks if b.navigation.x is not None])
    np.testing.assert_allclose(x, -68.0 + np.arange(PINGS) * 1e-5, rtol=1e-12)
    assert all((b.slant_range_m == 50).all() for b in blocks)


@pytest.mark.parametrize("way", WAYS)
def test_a_missing_packet_costs_its_side_of_one_ping(tmp_path: Path, way: str) -> None:
    path = sides_apart(tmp_path / "a.xtf", way, without=[(20, 0), (41, 1)])
    ours = read_waterfall(path)
    assert ours.pings == PINGS
    for side, missing in ((Side.PORT, 20), (Side.STARBOARD, 41)):
        expected = SEABED[side].copy()
        expected[missing] = 0
        np.testing.assert_array_equal(ours.side(side), expected)


@pytest.mark.parametrize(("at", "value"), [(256 + 42, b"\xff" * 4), (256, b"\x09\0"), (4, b"\x02\0")])
def test_a_damaged_packet_is_reported(tmp_path: Path, at: int, value: bytes) -> None:
    """Its number of samples, its channel, or how many channels it has."""
    path = sides_apart(tmp_path / "a.xtf", "the same ping number")
    data = bytearray(path.read_bytes())
    place = data.index(SEABED[Side.STARBOARD][30].tobytes()) - 64 - 256
    data[place + at : place + at + len(value)] = value
    path.write_bytes(data)
    recording = open_recording(path)
    for _ in range(2):
        ours = next(recording.blocks())
        assert ours.starboard_PS is not None
        assert np.flatnonzero(ours.starboard_PS.max(1) == 0).tolist() == [30]
        np.testing.assert_array_equal(ours.port_PS, SEABED[Side.PORT])
        assert [d.offset_bytes for d in recording.defects] == [place]


def test_a_side_with_fewer_samples_keeps_its_ranges(tmp_path: Path) -> None:
    """Shorter rows are padded at the far end, as those of one packet are."""
    channels = [MadeChannel(type=t, frequency_khz=400) for t in (PORT, STARBOARD)]
    parts = [file_header(channels)]
    for row in range(4):
        parts.append(ping({0: SEABED[Side.PORT][row, :300][::-1]}, ping_number=row, slant_range_m=30))
        parts.append(ping({1: SEABED[Side.STARBOARD][row]}, ping_number=row, slant_range_m=40))
    path = tmp_path / "a.xtf"
    path.write_bytes(b"".join(parts))
    ours = read_waterfall(path)
    assert ours.port_PS is not None
    assert ours.port_PS.shape == (4, SAMPLES)
    np.testing.assert_array_equal(ours.port_PS[:, :300], SEABED[Side.PORT][:4, :300])
    np.testing.assert_allclose(ours.slant_range_m, 40)


def test_each_side_of_each_frequency_apart(tmp_path: Path) -> None:
    channels = [MadeChannel(type=t, frequency_khz=f) for f in (100, 400) for t in (PORT, STARBOARD)]
    parts = [file_header(channels)]
    for row in range(PINGS):
        port, starboard = SEABED[Side.PORT][row], SEABED[Side.STARBOARD][row]
        low = {0: starboard[:100][::-1], 1: port[:100]}
        for channel, samples in {**low, 2: port[::-1], 3: starboard}.items():
            parts.append(ping({channel: samples}, ping_number=row, number=row))
    path = tmp_path / "a.xtf"
    path.write_bytes(b"".join(parts))
    recording = open_recording(path)
    assert recording.ping_count(0) == recording.ping_count(1) == PINGS
    high, low_ones = next(recording.blocks(pair=1)), next(recording.blocks(pair=0))
    for side, expected in SEABED.items():
        np.testing.assert_array_equal(high.side(side), expected)
    np.testing.assert_array_equal(low_ones.starboard_PS, SEABED[Side.PORT][:, :100])
    assert recording.defects == ()


def test_packets_that_are_all_damaged_are_an_error_of_the_file(tmp_path: Path) -> None:
    parts = [ping({9: row}, ping_number=n) for n, row in enumerate(SEABED[Side.PORT])]
    path = tmp_path / "a.xtf"
    path.write_bytes(file_header(PAIR) + b"".join(parts))
    recording = open_recording(path)
    with pytest.raises(SonarFileError, match="no whole ping of port and starboard"):
        list(recording.blocks())
    assert len(recording.defects) == PINGS
