"""Waterfalls to XTF: port far to near, as real recorders store it.

The fields are laid down here anew, not shared with the reader, so that one cannot repeat the other's mistake.
Source: Triton Imaging, "eXtended Triton Format (XTF)", rev. 42.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import OutputError
from app.sonar.waterfall import Floats, PositionUnits, Waterfall
from app.storage import atomic_write

_KNOT_MPS = 0.514444
_HALF_SOUND_MPS = 750.0
"""XTF's SoundVelocity is that of the two-way travel."""
_NAV_UNITS = {PositionUnits.METRES: 0, PositionUnits.DEGREES: 3}
_PACKET_ALIGN = 64
"""Packets are padded to a multiple of this, as the format asks."""
_PORT, _STARBOARD = 1, 2


def _fields(size: int, *fields: tuple[str, str, int]) -> np.dtype[np.void]:
    """A structure of `size` bytes with (name, type, offset) in it."""
    names, formats, offsets = zip(*fields, strict=True)
    return np.dtype(
        {"names": list(names), "formats": list(formats), "offsets": list(offsets), "itemsize": size}
    )


_CHANNEL_INFO = _fields(
    128, ("type", "u1", 0), ("sub_channel", "u1", 1), ("unipolar", "<u2", 4), ("bytes_per_sample", "<u2", 6),
    ("name", "S16", 12), ("volt_scale", "<f4", 28), ("frequency", "<f4", 32), ("beam_deg", "<f4", 36),
)  # fmt: skip
_FILE_HEADER = _fields(
    1024, ("format", "u1", 0), ("system", "u1", 1), ("program", "S8", 2), ("version", "S8", 10),
    ("sonar", "S16", 18), ("note", "S64", 36), ("nav_units", "<u2", 164), ("sonar_channels", "<u2", 166),
    ("port", "V128", 256), ("starboard", "V128", 384),
)  # fmt: skip
_PING = _fields(
    256, ("magic", "<u2", 0), ("type", "u1", 2), ("sub_channel", "u1", 3), ("channels", "<u2", 4),
    ("bytes", "<u4", 10), ("year", "<u2", 14), ("month", "u1", 16), ("day", "u1", 17), ("hour", "u1", 18),
    ("minute", "u1", 19), ("second", "u1", 20), ("centisecond", "u1", 21), ("julian_day", "<u2", 22),
    ("ping_number", "<u4", 28), ("half_sound", "<f4", 32), ("ship_speed", "<f4", 120),
    ("ship_gyro", "<f4", 124), ("ship_y", "<f8", 128), ("ship_x", "<f8", 136), ("speed", "<f4", 152),
    ("y", "<f8", 160), ("x", "<f8", 168), ("altitude", "<f4", 196), ("pitch", "<f4", 204),
    ("roll", "<f4", 208), ("heading", "<f4", 212),
)  # fmt: skip
_CHANNEL = _fields(
    64, ("number", "<u2", 0), ("slant_range", "<f4", 4), ("duration", "<f4", 16),
    ("seconds_per_ping", "<f4", 20), ("frequency", "<u2", 26), ("samples", "<u4", 42),
)  # fmt: skip


def write_xtf(path: Path, waterfall: Waterfall | Iterable[Waterfall]) -> None:
    """Write one waterfall, or consecutive ones of one line as they are made, to an XTF file.

    Both sides must be there, uint8 or uint16 and of equal width in all waterfalls. Times keep hundredths of
    a second, heading and altitude single precision; NaN becomes 0, which in XTF means unset.

    Raises: OutputError if a waterfall does not fit into one XTF file, or the disk refuses.
    """
    blocks = iter((waterfall,) if isinstance(waterfall, Waterfall) else waterfall)
    first = next(blocks, None)
    if first is None:
        raise OutputError(f"cannot write {path}: there is not a single ping; give at least one waterfall")
    port, starboard = _sides(path, first)
    form = (port.dtype, starboard.shape[1], first.navigation.units)
    with atomic_write(path) as file:
        file.write(_file_header(first, port.dtype))
        file.write(_packets(first, port, starboard))
        for block in blocks:
            port, starboard = _sides(path, block)
            if (port.dtype, starboard.shape[1], block.navigation.units) != form:
                raise OutputError(
                    f"cannot write {path}: ping {block.first_ping} has another depth, width or position "
                    f"units than ping {first.first_ping}; write it to a file of its own"
                )
            file.write(_packets(block, port, starboard))


def _sides(path: Path, waterfall: Waterfall) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    port, starboard = waterfall.port_PS, waterfall.starboard_PS
    if port is None or starboard is None or port.shape != starboard.shape or port.dtype != starboard.dtype:
        raise OutputError(f"cannot write {path}: both sides are needed, with equal shape and depth")
    if port.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise OutputError(f"cannot write {path}: samples are {port.dtype}; convert them to uint8 or uint16")
    return port, starboard


def _file_header(waterfall: Waterfall, depth: np.dtype[np.generic]) -> bytes:
    channels = np.zeros(2, _CHANNEL_INFO)
    channels["type"] = _PORT, _STARBOARD
    channels["sub_channel"] = 0, 1
    channels["name"] = b"port", b"starboard"
    channels["unipolar"] = 1
    channels["bytes_per_sample"] = depth.itemsize
    channels["frequency"] = waterfall.frequency_khz or 0
    header = np.zeros((), _FILE_HEADER)
    header["format"], header["system"] = 123, 1
    header["program"], header["sonar"] = b"sonarstk", b"simulated"
    header["nav_units"] = _NAV_UNITS[waterfall.navigation.units or PositionUnits.DEGREES]
    header["sonar_channels"] = 2
    header["port"], header["starboard"] = channels[0].tobytes(), channels[1].tobytes()
    return header.tobytes()


def _packets(waterfall: Waterfall, port: NDArray[np.generic], starboard: NDArray[np.generic]) -> bytes:
    """All pings of a block, one structured row each."""
    samples, depth = port.shape[1], port.dtype.newbyteorder("<")
    size = _PING.itemsize + 2 * (_CHANNEL.itemsize + samples * depth.itemsize)
    packet = np.dtype(
        [
            ("ping", _PING),
            ("port", _CHANNEL),
            ("port_samples", depth, (samples,)),
            ("starboard", _CHANNEL),
            ("starboard_samples", depth, (samples,)),
            ("padding", "V1", (-size % _PACKET_ALIGN,)),
        ]
    )
    rows = np.zeros(len(port), packet)
    _fill_ping(rows["ping"], waterfall, packet.itemsize)
    for number, name in enumerate(("port", "starboard")):
        _fill_channel(rows[name], waterfall, number, samples)
    rows["port_samples"] = port[:, ::-1]
    rows["starboard_samples"] = starboard
    return rows.tobytes()


def _fill_ping(ping: NDArray[np.void], waterfall: Waterfall, packet_bytes: int) -> None:
    navigation = waterfall.navigation
    ping["magic"], ping["type"], ping["channels"], ping["bytes"] = 0xFACE, 0, 2, packet_bytes
    ping["ping_number"] = waterfall.first_ping + np.arange(len(ping))
    ping["half_sound"] = _HALF_SOUND_MPS
    _fill_time(ping, navigation.time_s)
    for field, values in (
        ("x", navigation.x),
        ("y", navigation.y),
        ("altitude", navigation.altitude_m),
        ("heading", navigation.heading_deg),
        ("pitch", navigation.pitch_deg),
        ("roll", navigation.roll_deg),
        ("speed", None if navigation.speed_mps is None else navigation.speed_mps / _KNOT_MPS),
    ):
        if values is not None:
            ping[field] = np.nan_to_num(values)
    ping["ship_x"], ping["ship_y"] = ping["x"], ping["y"]
    ping["ship_gyro"], ping["ship_speed"] = ping["heading"], ping["speed"]


def _fill_time(ping: NDArray[np.void], time_s: Floats) -> None:
    """Calendar fields, UTC, rounded to hundredths of a second; unset where the time is."""
    known = np.isfinite(time_s)
    hundredths = np.round(np.where(known, time_s, 0) * 100).astype(np.int64)
    moment = (hundredths // 100).astype("datetime64[s]")
    day, month, year = (moment.astype(f"datetime64[{unit}]") for unit in "DMY")
    second = (moment - day).astype(np.int64)
    for field, values in (
        ("year", year.astype(np.int64) + 1970),
        ("month", (month - year).astype(np.int64) + 1),
        ("day", (day - month).astype(np.int64) + 1),
        ("julian_day", (day - year).astype(np.int64) + 1),
        ("hour", second // 3600),
        ("minute", second // 60 % 60),
        ("second", second % 60),
        ("centisecond", hundredths % 100),
    ):
        ping[field] = np.where(known, values, 0)


def _fill_channel(channel: NDArray[np.void], waterfall: Waterfall, number: int, samples: int) -> None:
    channel["number"] = number
    channel["slant_range"] = np.nan_to_num(waterfall.slant_range_m)
    channel["duration"] = channel["slant_range"] / _HALF_SOUND_MPS
    channel["seconds_per_ping"] = channel["duration"]
    channel["frequency"] = round(waterfall.frequency_khz or 0)
    channel["samples"] = samples
