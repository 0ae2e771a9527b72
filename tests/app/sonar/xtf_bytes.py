"""Small XTF files made byte by byte, with offsets of their own: the reader's tables are not used here."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PORT, STARBOARD, BATHYMETRY = 1, 2, 3


@dataclass(frozen=True, kw_only=True)
class MadeChannel:
    """A channel of the file header."""

    type: int
    bytes_per_sample: int = 1
    sample_format: int = 0
    frequency_khz: float = 0.0
    correction: int = 1


PAIR = (MadeChannel(type=PORT, frequency_khz=600), MadeChannel(type=STARBOARD, frequency_khz=600))


def file_header(channels: Sequence[MadeChannel] = PAIR, *, nav_units: int = 3) -> bytes:
    """The first 1024 bytes, or more where there are more than six channels."""
    extra = max(0, len(channels) - 6)
    head = bytearray(1024 * (1 + -(-extra * 128 // 1024)))
    bathymetry = sum(c.type == BATHYMETRY for c in channels)
    struct.pack_into("<BB", head, 0, 123, 1)
    struct.pack_into("<HHH", head, 164, nav_units, len(channels) - bathymetry, bathymetry)
    for index, channel in enumerate(channels):
        at = 256 + 128 * index
        struct.pack_into("<BBHHH", head, at, channel.type, index // 2, channel.correction, 1, 0)
        struct.pack_into("<H", head, at + 6, channel.bytes_per_sample)
        struct.pack_into("<f", head, at + 32, channel.frequency_khz)
        struct.pack_into("<B", head, at + 74, channel.sample_format)
    return bytes(head)


def packet(kind: int, payload: bytes, channels: int = 0) -> bytes:
    """Any packet, padded to 64 bytes as writers do."""
    length = 14 + len(payload)
    length += -length % 64
    return (struct.pack("<HBBHHHI", 0xFACE, kind, 0, channels, 0, 0, length) + payload).ljust(length, b"\0")


def ping(
    samples: dict[int, NDArray[np.generic]],
    *,
    number: int = 0,
    slant_range_m: float = 50.0,
    x: float = -68.0,
    y: float = 48.0,
    heading_deg: float = 90.0,
    altitude_m: float = 8.0,
    speed_knots: float = 3.0,
    pitch_deg: float = 0.0,
    roll_deg: float = 0.0,
    year: int = 2024,
    weight: int = 0,
    ping_number: int = 0,
    ship_x: float = 0.0,
    ship_y: float = 0.0,
    ship_gyro_deg: float = 0.0,
    layback_m: float = 0.0,
) -> bytes:
    """A sonar ping with samples by channel number, as stored."""
    head = bytearray(256 - 14)
    second = number // 10
    struct.pack_into("<HBBBBBB", head, 0, year, 3, 1, 12, second // 60 % 60, second % 60, number % 10 * 10)
    struct.pack_into("<If", head, 28 - 14, ping_number, 750.0)
    struct.pack_into("<fdd", head, 124 - 14, ship_gyro_deg, ship_y, ship_x)
    struct.pack_into("<f", head, 152 - 14, speed_knots)
    struct.pack_into("<dd", head, 160 - 14, y, x)
    struct.pack_into("<f", head, 184 - 14, layback_m)
    struct.pack_into("<f", head, 196 - 14, altitude_m)
    struct.pack_into("<fff", head, 204 - 14, pitch_deg, roll_deg, heading_deg)
    body = bytes(head)
    for channel, values in samples.items():
        part = bytearray(64)
        struct.pack_into("<HH", part, 0, channel, 2)
        struct.pack_into("<f", part, 4, slant_range_m)
        struct.pack_into("<I", part, 42, len(values))
        struct.pack_into("<h", part, 58, weight)
        body += bytes(part) + values.tobytes()
    return packet(0, body, channels=len(samples))


def seabed(
    pings: int, samples: int, *, seed: int = 0, bottom: int | None = None, top: int = 250
) -> NDArray[np.uint8]:
    """Speckle behind a dark water column, nearest sample first; every row differs."""
    rng = np.random.default_rng(seed)
    bottom = samples // 6 if bottom is None else bottom
    rows = np.clip(rng.gamma(4.0, 25.0, (pings, samples)), 1, top).astype(np.uint8)
    rows[:, :bottom] = rng.integers(0, 4, (pings, bottom))
    return rows


def xtf_file(
    path: Path,
    port_PS: NDArray[np.generic] | None,
    starboard_PS: NDArray[np.generic] | None,
    *,
    channels: Sequence[MadeChannel] = PAIR,
    near_first: bool = False,
    between: bytes = b"",
    nav_units: int = 3,
    **ping_fields: float,
) -> Path:
    """A file of one channel pair. The sides are given nearest first; port is stored far first unless `near_first`.

    Args:
        between: packets put before every second ping.
    """
    parts = [file_header(channels, nav_units=nav_units)]
    sides = {
        number: side
        for number, side in ((0, port_PS), (1 if port_PS is not None else 0, starboard_PS))
        if side is not None
    }
    for row in range(len(next(iter(sides.values())))):
        stored = {n: side[row] for n, side in sides.items()}
        if port_PS is not None and not near_first:
            stored[0] = stored[0][::-1]
        if row % 2:
            parts.append(between)
        fields = {"x": -68.0 + row * 1e-5, **ping_fields}
        parts.append(ping(stored, number=row, **fields))  # type: ignore[arg-type]
    path.write_bytes(b"".join(parts))
    return path
