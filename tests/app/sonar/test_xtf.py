"""The XTF reader against pyxtf and against files whose contents are known."""

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import SonarFileError
from app.sonar.recording import Recording, open_recording, read_waterfall
from app.sonar.waterfall import PositionUnits, Side
from app.sonar.xtf_index import FIRST_RUN
from tests.app.sonar.xtf_bytes import (
    BATHYMETRY,
    PAIR,
    PORT,
    STARBOARD,
    MadeChannel,
    file_header,
    packet,
    ping,
    seabed,
    xtf_file,
)

ATTITUDE = packet(3, b"\x11" * 50)
REAL_FILES = ("Demowreck.xtf", "000_1236.xtf", "scotsman-iver2.xtf")


def pyxtf_read(path: Path) -> tuple[Any, list[Any]]:
    """What another reader finds: file header and sonar pings."""
    import pyxtf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header, packets = pyxtf.xtf_read(str(path))
    return header, packets[pyxtf.XTFHeaderType.sonar]


def whole(recording: Recording, pings: int) -> dict[Side, np.ndarray[Any, Any]]:
    """All samples of a recording, read in blocks of `pings`."""
    blocks = list(recording.blocks(pings=pings))
    return {side: np.concatenate([b.side(side) for b in blocks]) for side in Side}  # type: ignore[misc]


@pytest.mark.parametrize("name", REAL_FILES)
@pytest.mark.parametrize("block_pings", [97, 5000])
def test_real_samples_are_those_that_pyxtf_reads(real_data: Path, name: str, block_pings: int) -> None:
    _, pings = pyxtf_read(real_data / "xtf" / name)
    recording = open_recording(real_data / "xtf" / name)
    ours = whole(recording, block_pings)
    assert recording.defects == ()
    assert recording.ping_count() == len(pings)
    np.testing.assert_array_equal(ours[Side.PORT], np.stack([p.data[0] for p in pings])[:, ::-1])
    np.testing.assert_array_equal(ours[Side.STARBOARD], np.stack([p.data[1] for p in pings]))


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_headers_are_those_that_pyxtf_reads(real_data: Path, name: str) -> None:
    _, pings = pyxtf_read(real_data / "xtf" / name)
    ours = read_waterfall(real_data / "xtf" / name)
    theirs = {
        "x": [p.SensorXcoordinate for p in pings],
        "y": [p.SensorYcoordinate for p in pings],
        "heading_deg": [p.SensorHeading for p in pings],
        "altitude_m": [p.SensorPrimaryAltitude for p in pings],
    }
    for field, expected in theirs.items():
        values = getattr(ours.navigation, field)
        if values is None:
            assert not np.any(expected), field
            continue
        known = np.isfinite(values)
        assert known.mean() > 0.99
        np.testing.assert_allclose(values[known], np.asarray(expected)[known], rtol=1e-9)
    np.testing.assert_allclose(ours.slant_range_m, [p.ping_chan_headers[0].SlantRange for p in pings])


def test_real_unset_fields_are_none(real_data: Path) -> None:
    unset = read_waterfall(real_data / "xtf" / "000_1236.xtf")
    assert unset.frequency_khz is None
    assert unset.navigation.altitude_m is None
    assert unset.navigation.speed_mps is None
    assert unset.navigation.units is PositionUnits.DEGREES
    grid = read_waterfall(real_data / "xtf" / "Demowreck.xtf")
    assert grid.navigation.units is PositionUnits.METRES
    assert grid.frequency_khz == 455
    first = read_waterfall(real_data / "xtf" / "scotsman-iver2.xtf")
    assert first.navigation.x is not None
    assert np.isnan(first.navigation.x).tolist() == [True] + [False] * 460


@pytest.mark.parametrize(
    ("width", "sample_format", "stored", "kept"),
    [
        (1, 0, np.uint8, np.uint8),
        (2, 0, np.uint16, np.uint16),
        (4, 0, np.uint32, np.float32),
        (1, 8, np.uint8, np.uint8),
        (2, 3, np.uint16, np.uint16),
        (4, 2, np.uint32, np.float32),
        (4, 5, np.float32, np.float32),
    ],
)
def test_every_sample_format(
    tmp_path: Path, width: int, sample_format: int, stored: type[np.generic], kept: type[np.generic]
) -> None:
    scale = 1 if width == 1 else 200
    port, starboard = ((seabed(12, 200, seed=s).astype(np.float64) * scale).astype(stored) for s in (1, 2))
    channels = [
        MadeChannel(type=t, bytes_per_sample=width, sample_format=sample_format) for t in (PORT, STARBOARD)
    ]
    path = xtf_file(tmp_path / "a.xtf", port, starboard, channels=channels)
    ours = read_waterfall(path)
    assert ours.port_PS is not None
    assert ours.port_PS.dtype == kept
    np.testing.assert_array_equal(ours.port_PS, port)
    np.testing.assert_array_equal(ours.side(Side.STARBOARD), starboard)
    _, pings = pyxtf_read(path)
    np.testing.assert_array_equal(starboard, np.stack([p.data[1] for p in pings]))


def test_floats_that_can_be_no_echoes_become_zero(tmp_path: Path) -> None:
    starboard = np.full((3, 40), 2.5, dtype=np.float32)
    starboard[1, 5:10] = np.nan, np.inf, -np.inf, -3.0, 1e30
    channel = [MadeChannel(type=STARBOARD, bytes_per_sample=4, sample_format=5)]
    ours = read_waterfall(xtf_file(tmp_path / "a.xtf", None, starboard, channels=channel))
    assert ours.starboard_PS is not None
    assert ours.starboard_PS[1, 4:11].tolist() == [2.5, 0, 0, 0, 0, 0, 2.5]


@pytest.mark.parametrize("every", [1, 2, 3, FIRST_RUN + 1, 50])
def test_packets_in_between_are_passed_over(tmp_path: Path, every: int) -> None:
    starboard = seabed(100, 64)
    parts = [file_header([MadeChannel(type=STARBOARD)])]
    for row, values in enumerate(starboard):
        if row % every == 0:
            parts += [ATTITUDE, packet(2, b"note"), packet(42, b"\xce\xfa" * 40)]
        parts.append(ping({0: values}, number=row))
    path = tmp_path / "a.xtf"
    path.write_bytes(b"".join(parts))
    recording = open_recording(path)
    assert recording.defects == ()
    ours = next(recording.blocks())
    np.testing.assert_array_equal(ours.starboard_PS, starboard)
    assert ours.port_PS is None


@pytest.mark.parametrize("near_first", [False, True])
def test_port_order_is_found_in_the_data(tmp_path: Path, near_first: bool) -> None:
    port, starboard = seabed(60, 400, seed=1), seabed(60, 400, seed=2)
    path = xtf_file(tmp_path / "a.xtf", port, starboard, near_first=near_first)
    np.testing.assert_array_equal(read_waterfall(path).port_PS, port)
    # Without starboard the water column decides.
    alone = xtf_file(tmp_path / "b.xtf", port, None, channels=PAIR[:1], near_first=near_first)
    np.testing.assert_array_equal(read_waterfall(alone).port_PS, port)


def test_port_order_can_be_given_and_stays_by_convention_in_doubt(tmp_path: Path) -> None:
    flat = np.random.default_rng(0).integers(50, 60, (30, 300)).astype(np.uint8)
    path = xtf_file(tmp_path / "a.xtf", flat, flat)
    np.testing.assert_array_equal(read_waterfall(path).port_PS, flat)
    np.testing.assert_array_equal(read_waterfall(path, port_order="near-first").port_PS, flat[:, ::-1])
    with pytest.raises(SonarFileError, match="port_order='left' is unknown; give one of auto, far-first"):
        read_waterfall(path, port_order="left")


def test_shorter_pings_are_padded_at_the_far_end(tmp_path: Path) -> None:
    parts = [file_header()]
    rows = [seabed(1, n, seed=n)[0] for n in (300, 240, 300, 271)]
    parts += [ping({0: r[::-1], 1: r}, number=i, slant_range_m=60) for i, r in enumerate(rows)]
    path = tmp_path / "a.xtf"
    path.write_bytes(b"".join(parts))
    ours = read_waterfall(path)
    for side in (ours.port_PS, ours.starboard_PS):
        assert side is not None
        assert side.shape == (4, 300)
        for row, expected in zip(side, rows, strict=True):
            np.testing.assert_array_equal(row, np.pad(expected, (0, 300 - len(expected))))
    # A sample keeps its distance: the range told holds for the last sample recorded, not for the padding.
    np.testing.assert_allclose(ours.slant_range_m, [60, 60 * 300 / 240, 60, 60 * 300 / 271])


def two_frequencies(path: Path, *, together: bool) -> Path:
    """Low and high frequency in one ping, or in pings of their own."""
    channels = [MadeChannel(type=t, frequency_khz=f) for f in (100, 400) for t in (PORT, STARBOARD)]
    parts = [file_header([*channels, MadeChannel(type=BATHYMETRY, bytes_per_sample=0)])]
    for row in range(20):
        low, high = seabed(1, 100, seed=row)[0], seabed(1, 200, seed=100 + row)[0]
        if together:
            parts.append(ping({0: low, 1: low, 2: high[::-1], 3: high}, number=row))
        else:
            parts += [ping({0: low, 1: low}, number=row), ping({2: high[::-1], 3: high}, number=row)]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize("together", [True, False])
def test_two_frequencies(tmp_path: Path, together: bool) -> None:
    recording = open_recording(two_frequencies(tmp_path / "a.xtf", together=together))
    assert [p.frequency_khz for p in recording.channel_pairs] == [100, 400]
    high, low = next(recording.blocks()), next(recording.blocks(pair=0))
    assert (high.frequency_khz, low.frequency_khz) == (400, 100)
    assert recording.ping_count() == recording.ping_count(0) == 20
    np.testing.assert_array_equal(high.starboard_PS, [seabed(1, 200, seed=100 + r)[0] for r in range(20)])
    np.testing.assert_array_equal(low.starboard_PS, [seabed(1, 100, seed=r)[0] for r in range(20)])
    with pytest.raises(SonarFileError, match=r"no channel pair 2; it has 0: port and starboard, 100 kHz; 1"):
        next(recording.blocks(pair=2))


def test_more_channels_than_the_first_header_holds(tmp_path: Path) -> None:
    channels = [MadeChannel(type=t, frequency_khz=100 * f) for f in range(1, 6) for t in (PORT, STARBOARD)]
    row = seabed(1, 128)[0]
    path = tmp_path / "a.xtf"
    path.write_bytes(file_header(channels) + ping({8: row[::-1], 9: row}))
    recording = open_recording(path)
    assert len(recording.channel_pairs) == 5
    np.testing.assert_array_equal(next(recording.blocks()).starboard_PS, row[None])


def test_absurd_fields_become_unset(tmp_path: Path) -> None:
    row = seabed(1, 100)[0]
    lies: dict[str, float] = {"altitude_m": 70.0, "heading_deg": 4e30, "speed_knots": -3, "pitch_deg": np.nan}
    pings = [ping({1: row}, number=n, **(lies if n else {}), year=2024 if n else 65535) for n in range(3)]  # type: ignore[arg-type]
    path = tmp_path / "a.xtf"
    path.write_bytes(file_header() + b"".join(pings))
    navigation = read_waterfall(path).navigation
    for values in (navigation.altitude_m, navigation.heading_deg, navigation.speed_mps):
        assert values is not None
        assert np.isnan(values).tolist() == [False, True, True]
    assert np.isnan(navigation.time_s).tolist() == [True, False, False]
    assert navigation.pitch_deg is None


def test_range_is_given_where_the_file_leaves_it_unset(tmp_path: Path) -> None:
    path = xtf_file(tmp_path / "a.xtf", None, seabed(4, 90), channels=[PAIR[1]], slant_range_m=0.0)
    assert np.isnan(read_waterfall(path).slant_range_m).all()
    assert read_waterfall(path, range_m=44.0).slant_range_m.tolist() == [44.0] * 4


@pytest.mark.parametrize(
    ("nav_units", "x", "y", "units"),
    [
        (3, -68.0, 48.0, PositionUnits.DEGREES),
        (0, 571000.0, 5181000.0, PositionUnits.METRES),
        (0, -68.0, 48.0, PositionUnits.DEGREES),
        (3, 571000.0, 5181000.0, PositionUnits.METRES),
        (3, 286.3, 48.0, PositionUnits.DEGREES),
        (3, 286.3, 95.0, PositionUnits.METRES),
        (3, -286.3, 48.0, PositionUnits.METRES),
        (0, 286.3, 48.0, PositionUnits.METRES),
    ],
)
def test_values_decide_what_positions_mean(
    tmp_path: Path, nav_units: int, x: float, y: float, units: PositionUnits
) -> None:
    path = xtf_file(
        tmp_path / "a.xtf", None, seabed(4, 90), channels=[PAIR[1]], nav_units=nav_units, x=x, y=y
    )
    ours = read_waterfall(path)
    assert ours.navigation.units is units
    assert bool(ours.warnings) == ((nav_units == 3) != (units is PositionUnits.DEGREES))


def test_longitudes_from_0_to_360_are_degrees(tmp_path: Path) -> None:
    for lowest, expected in ((286.3, -73.7), (179.99999, 179.99999), (359.99999, -0.00001)):
        parts = [ping({1: row}, number=n, x=(lowest + n * 1e-5) % 360) for n, row in enumerate(seabed(4, 90))]
        path = tmp_path / "a.xtf"
        path.write_bytes(file_header() + b"".join(parts))
        navigation = read_waterfall(path).navigation
        assert navigation.units is PositionUnits.DEGREES
        assert navigation.x is not None
        off = navigation.x - (expected + np.arange(4) * 1e-5)
        np.testing.assert_allclose((off + 180) % 360 - 180, 0, atol=1e-9)
        assert (np.abs(navigation.x) <= 180).all()


def test_recordings_already_in_ground_range_keep_their_columns(tmp_path: Path) -> None:
    channel = [MadeChannel(type=STARBOARD, correction=2)]
    ours = read_waterfall(xtf_file(tmp_path / "a.xtf", None, seabed(40, 90), channels=channel))
    assert ours.navigation.altitude_m is not None
    assert not ours.navigation.altitude_m.any()
    assert "already removed the water column" in ours.warnings[0]


def damaged(
    tmp_path: Path, at: int, value: bytes, pings: int = 20
) -> tuple[Recording, int, np.ndarray[Any, Any]]:
    """A file whose ping 7 is damaged at an offset inside it; with that ping's place."""
    starboard = seabed(pings, 500)
    path = xtf_file(tmp_path / "a.xtf", None, starboard, channels=[PAIR[1]])
    data = bytearray(path.read_bytes())
    size = (len(data) - 1024) // pings
    place = 1024 + 7 * size
    data[place + at : place + at + len(value)] = value
    path.write_bytes(data)
    return open_recording(path), place, starboard


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"\0\0"),
        (10, b"\0\0\0\0"),
        (10, struct.pack("<I", 3000)),
        (10, struct.pack("<I", 0x7FFFFFFF)),
        (256 + 42, struct.pack("<I", 0xFFFFFFFF)),
        (256, b"\x09\0"),
        (4, b"\x05\0"),
    ],
    ids=["magic", "length 0", "length swallows others", "length huge", "samples", "channel", "channels"],
)
def test_one_damaged_ping_costs_one_ping(tmp_path: Path, at: int, value: bytes) -> None:
    recording, place, starboard = damaged(tmp_path, at, value)
    ours = whole_starboard(recording)
    np.testing.assert_array_equal(ours, np.delete(starboard, 7, axis=0))
    assert [d.offset_bytes for d in recording.defects] == [place]
    whole_starboard(recording)
    assert len(recording.defects) == 1, "reading twice counts a defect once"


def whole_starboard(recording: Recording) -> np.ndarray[Any, Any]:
    return np.concatenate([b.starboard_PS for b in recording.blocks(pings=6)])  # type: ignore[misc]


def test_ping_numbers_go_on_across_damage(tmp_path: Path) -> None:
    recording, _, _ = damaged(tmp_path, 256, b"\x09\0")
    assert [(b.first_ping, b.pings) for b in recording.blocks(pings=6)] == [(0, 6), (6, 5), (11, 6), (17, 2)]


def test_a_ping_absurdly_wide_does_not_fill_the_memory(tmp_path: Path) -> None:
    wide = np.zeros(900_000, dtype=np.uint8)
    parts = [ping({1: r}) for r in seabed(500, 100)]
    parts.insert(250, ping({1: wide}))
    path = tmp_path / "a.xtf"
    path.write_bytes(file_header() + b"".join(parts))
    recording = open_recording(path)
    ours = next(recording.blocks())
    assert ours.starboard_PS is not None
    assert ours.starboard_PS.shape == (500, 100)
    assert [d.what for d in recording.defects] == ["a ping of 900000 samples where 100 are usual"]


def test_last_packet_cut_short_is_counted(tmp_path: Path) -> None:
    path = xtf_file(tmp_path / "a.xtf", None, seabed(20, 500), channels=[PAIR[1]])
    data = path.read_bytes()
    size = (len(data) - 1024) // 20
    path.write_bytes(data[: -size // 2])
    recording = open_recording(path)
    assert recording.ping_count() == 19
    assert [d.offset_bytes for d in recording.defects] == [1024 + 19 * size]
    assert "cut short" in recording.defects[0].what


def test_complaints_stay_few(tmp_path: Path) -> None:
    row = seabed(1, 100)[0]
    path = tmp_path / "a.xtf"
    path.write_bytes(file_header() + (ping({1: row}) + b"rubbish") * 1000)
    defects = open_recording(path).defects
    assert len(defects) == 201
    assert defects[-1].what == "800 more places are damaged"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; copy it again"),
        (b"Dear reader, this is no sonar.\n" * 99, "is not XTF .its first byte is 68, XTF begins with 123"),
        (b"\x7b" + b"\0" * 100, "cut short inside its header .101 bytes.; copy it again"),
        (file_header([]), "no side-scan channel"),
        (file_header(), "holds no whole sonar ping .1024 bytes."),
        (file_header() + ATTITUDE * 5, "holds no whole sonar ping"),
        (file_header() + ping({0: np.ones(90, np.uint8)})[:-40], "holds no whole sonar ping"),
    ],
    ids=["empty", "text", "short", "no channel", "no packet", "no ping", "cut"],
)
def test_what_cannot_be_read_at_all_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.xtf"
    path.write_bytes(content)
    with pytest.raises(SonarFileError, match=message) as error:
        open_recording(path)
    assert "\n" not in str(error.value)
    assert "a.xtf" in str(error.value)


def test_pings_without_samples_are_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xtf"
    path.write_bytes(file_header() + ping({0: np.zeros(0, np.uint8), 1: np.zeros(0, np.uint8)}) * 4)
    with pytest.raises(SonarFileError, match="no whole ping of port and starboard, 600 kHz"):
        list(open_recording(path).blocks())


def test_memory_stays_flat_on_a_large_file(tmp_path: Path) -> None:
    import psutil

    path = tmp_path / "large.xtf"
    one = ping({0: seabed(1, 1024)[0], 1: seabed(1, 1024)[0]})
    with path.open("wb") as stream:
        stream.write(file_header())
        for _ in range(100):
            stream.write(one * 1000)
    read_waterfall(xtf_file(tmp_path / "small.xtf", seabed(600, 1024), seabed(600, 1024)))
    process = psutil.Process()
    # From before the file is opened: the index touches all of it, and that memory must be given back too.
    before, most = process.memory_info().rss, 0
    for _ in open_recording(path).blocks(pings=512):
        most = max(most, process.memory_info().rss)
    assert path.stat().st_size > 220e6
    assert most - before < 110e6
