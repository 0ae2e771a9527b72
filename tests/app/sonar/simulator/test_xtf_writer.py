"""What we write is what others read: pyxtf as the oracle."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import pyxtf
from numpy.typing import NDArray

from app.errors import OutputError
from app.sonar.recording import read_waterfall
from app.sonar.simulator.xtf_writer import write_xtf
from app.sonar.waterfall import Navigation, PositionUnits, Waterfall

PINGS, SAMPLES = 40, 100


def recorded(
    dtype: type[np.unsignedinteger] = np.uint8,
    units: PositionUnits = PositionUnits.DEGREES,
    first_ping: int = 0,
) -> Waterfall:
    rng = np.random.default_rng(3)
    most = np.iinfo(dtype).max
    step = np.arange(PINGS, dtype=float)
    in_degrees = units is PositionUnits.DEGREES
    return Waterfall(
        source="made",
        first_ping=first_ping,
        port_PS=rng.integers(0, most, (PINGS, SAMPLES), dtype=dtype),
        starboard_PS=rng.integers(0, most, (PINGS, SAMPLES), dtype=dtype),
        slant_range_m=np.full(PINGS, 75.0),
        navigation=Navigation(
            time_s=datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC).timestamp() + step / 8,
            x=10.1234567891 + step * 1e-6 if in_degrees else 612345.678 + step,
            y=-54.987654321 + step * 1e-6 if in_degrees else 6012345.678 + step,
            units=units,
            heading_deg=(355 + step) % 360,
            altitude_m=8 + step / 100,
            speed_mps=np.full(PINGS, 2.0),
            pitch_deg=step / 10 - 2.03,
            roll_deg=2.03 - step / 10,
        ),
        frequency_khz=455.0,
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("units", list(PositionUnits))
def test_pyxtf_reads_every_value(
    tmp_path: Path, dtype: type[np.unsignedinteger], units: PositionUnits
) -> None:
    path, waterfall = tmp_path / "line.xtf", recorded(dtype, units)
    write_xtf(path, waterfall)
    header, packets = pyxtf.xtf_read(str(path))
    assert header.FileFormat == 123
    assert header.NavUnits == (3 if units is PositionUnits.DEGREES else 0)
    assert header.NumberOfSonarChannels == 2
    assert [info.TypeOfChannel for info in header.ChanInfo[:2]] == [1, 2]
    assert [info.BytesPerSample for info in header.ChanInfo[:2]] == [np.dtype(dtype).itemsize] * 2
    assert [info.ChannelName for info in header.ChanInfo[:2]] == [b"port", b"starboard"]

    pings, navigation = packets[pyxtf.XTFHeaderType.sonar], waterfall.navigation
    assert list(packets) == [pyxtf.XTFHeaderType.sonar]
    assert len(pings) == PINGS
    assert waterfall.port_PS is not None
    for number, ping in enumerate(pings):
        np.testing.assert_array_equal(ping.data[0], waterfall.port_PS[number, ::-1])
        np.testing.assert_array_equal(ping.data[1], waterfall.starboard_PS[number])  # type: ignore[index]
        assert ping.PingNumber == number
    for field, values, tolerance in (
        ("SensorXcoordinate", navigation.x, 0),
        ("SensorYcoordinate", navigation.y, 0),
        ("ShipXcoordinate", navigation.x, 0),
        ("SensorHeading", navigation.heading_deg, 1e-4),
        ("SensorPrimaryAltitude", navigation.altitude_m, 1e-5),
        ("SensorPitch", navigation.pitch_deg, 1e-6),
        ("SensorRoll", navigation.roll_deg, 1e-6),
        ("SensorSpeed", np.full(PINGS, 2.0 / 0.514444), 1e-5),
    ):
        np.testing.assert_allclose([getattr(ping, field) for ping in pings], values, rtol=0, atol=tolerance)
    channel = pings[7].ping_chan_headers[1]
    assert (channel.ChannelNumber, channel.SlantRange, channel.Frequency, channel.NumSamples) == (
        1,
        75,
        455,
        100,
    )


def test_time_crosses_midnight_of_a_leap_day(tmp_path: Path) -> None:
    path, waterfall = tmp_path / "line.xtf", recorded()
    write_xtf(path, waterfall)
    _, packets = pyxtf.xtf_read(str(path))
    pings = packets[pyxtf.XTFHeaderType.sonar]
    read = [
        datetime(p.Year, p.Month, p.Day, p.Hour, p.Minute, p.Second, p.HSeconds * 10000, UTC).timestamp()
        for p in pings
    ]
    np.testing.assert_allclose(read, waterfall.navigation.time_s, atol=0.0051)
    assert (pings[0].Month, pings[0].Day, pings[0].JulianDay) == (2, 29, 60)
    assert (pings[-1].Month, pings[-1].Day, pings[-1].JulianDay) == (3, 1, 61)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_our_reader_gets_the_waterfall_back(tmp_path: Path, dtype: type[np.unsignedinteger]) -> None:
    path, waterfall = tmp_path / "line.xtf", recorded(dtype)
    write_xtf(path, waterfall)
    back = read_waterfall(path)
    np.testing.assert_array_equal(back.port_PS, waterfall.port_PS)
    np.testing.assert_array_equal(back.starboard_PS, waterfall.starboard_PS)
    np.testing.assert_array_equal(back.slant_range_m, waterfall.slant_range_m)
    assert back.frequency_khz == 455
    assert back.navigation.units is PositionUnits.DEGREES
    for name in ("x", "y", "altitude_m", "speed_mps", "pitch_deg", "roll_deg"):
        np.testing.assert_allclose(
            getattr(back.navigation, name), getattr(waterfall.navigation, name), atol=1e-5
        )


def test_blocks_make_the_same_file_as_the_whole(tmp_path: Path) -> None:
    first, second = recorded(), recorded(first_ping=PINGS)
    write_xtf(tmp_path / "blocks.xtf", iter((first, second)))
    _, packets = pyxtf.xtf_read(str(tmp_path / "blocks.xtf"))
    assert [p.PingNumber for p in packets[pyxtf.XTFHeaderType.sonar]] == list(range(2 * PINGS))


def with_sides(port: NDArray[np.generic] | None, starboard: NDArray[np.generic] | None) -> Waterfall:
    made = recorded()
    return Waterfall(
        source="made",
        first_ping=0,
        port_PS=port,
        starboard_PS=starboard,
        slant_range_m=made.slant_range_m,
        navigation=made.navigation,
    )


def test_what_does_not_fit_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    image = np.zeros((PINGS, SAMPLES), np.uint8)
    path = tmp_path / "line.xtf"
    with pytest.raises(OutputError, match="not a single ping"):
        write_xtf(path, iter(()))
    with pytest.raises(OutputError, match="both sides are needed"):
        write_xtf(path, with_sides(image, None))
    with pytest.raises(OutputError, match="samples are float32; convert them"):
        write_xtf(path, with_sides(image.astype(np.float32), image.astype(np.float32)))
    with pytest.raises(OutputError, match="ping 40 has another depth"):
        write_xtf(path, iter((recorded(), recorded(np.uint16, first_ping=PINGS))))
    assert list(tmp_path.iterdir()) == []


def test_unset_navigation_is_written_as_unset(tmp_path: Path) -> None:
    path = tmp_path / "line.xtf"
    made = with_sides(np.ones((PINGS, SAMPLES), np.uint8), np.ones((PINGS, SAMPLES), np.uint8))
    bare = Waterfall(
        source="made",
        first_ping=0,
        port_PS=made.port_PS,
        starboard_PS=made.starboard_PS,
        slant_range_m=made.slant_range_m,
        navigation=Navigation(time_s=np.full(PINGS, np.nan), altitude_m=np.full(PINGS, np.nan)),
    )
    write_xtf(path, bare)
    _, packets = pyxtf.xtf_read(str(path))
    ping = packets[pyxtf.XTFHeaderType.sonar][0]
    assert (ping.SensorXcoordinate, ping.SensorPrimaryAltitude, ping.Year) == (0, 0, 0)
