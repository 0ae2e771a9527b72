"""Where things stand in an XTF file: its header, its packets, the channels of a ping.

Source: Triton Imaging, "eXtended Triton Format (XTF)", rev. 42; offsets checked against pyxtf's structures.
"""

from dataclasses import dataclass

import numpy as np

MAGIC = 0xFACE
MAGIC_BYTES = b"\xce\xfa"
FILE_FORMAT = 123
SONAR = 0
"""Header type of a sonar ping; all others (attitude, bathymetry, notes) are passed over."""
PACKET_BYTES, PING_BYTES, CHANNEL_BYTES, FILE_HEADER_BYTES = 14, 256, 64, 1024
CHANNEL_INFO_BYTES, CHANNELS_IN_FIRST_HEADER = 128, 6
IBM_FLOAT = 1
PORT, STARBOARD = 1, 2
"""Types of channel; 0 is a sub-bottom profiler, 3 bathymetry."""

FILE_HEADER = np.dtype(
    {
        "names": ["format", "nav_units", "sonar_channels", "bathymetry_channels"],
        "formats": ["u1", "<u2", "<u2", "<u2"],
        "offsets": [0, 164, 166, 168],
        "itemsize": FILE_HEADER_BYTES,
    }
)
CHANNEL_INFO = np.dtype(
    {
        "names": ["type", "correction", "bytes_per_sample", "samples", "frequency", "sample_format"],
        "formats": ["u1", "<u2", "<u2", "<u4", "<f4", "u1"],
        "offsets": [0, 2, 6, 8, 32, 74],
        "itemsize": CHANNEL_INFO_BYTES,
    }
)
PACKET = np.dtype(
    {
        "names": ["magic", "type", "channels", "bytes"],
        "formats": ["<u2", "u1", "<u2", "<u4"],
        "offsets": [0, 2, 4, 10],
        "itemsize": PACKET_BYTES,
    }
)
PING = np.dtype(
    {
        "names": [
            *("year", "month", "day", "hour", "minute", "second", "centisecond", "sound_velocity"),
            *("ship_speed", "ship_gyro", "ship_y", "ship_x", "speed", "y", "x"),
            *("layback", "altitude", "pitch", "roll", "heading"),
        ],
        "formats": [
            *("<u2", "u1", "u1", "u1", "u1", "u1", "u1", "<f4"),
            *("<f4", "<f4", "<f8", "<f8", "<f4", "<f8", "<f8"),
            *("<f4", "<f4", "<f4", "<f4", "<f4"),
        ],
        "offsets": [
            *(14, 16, 17, 18, 19, 20, 21, 32),
            *(120, 124, 128, 136, 152, 160, 168),
            *(184, 196, 204, 208, 212),
        ],
        "itemsize": PING_BYTES,
    }
)
CHANNEL = np.dtype(
    {
        "names": ["number", "slant_range", "duration", "frequency", "samples", "weight"],
        "formats": ["<u2", "<f4", "<f4", "<u2", "<u4", "<i2"],
        "offsets": [0, 4, 16, 26, 42, 58],
        "itemsize": CHANNEL_BYTES,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelFormat:
    """What the file header says of one channel."""

    number: int
    """As pings refer to it."""
    type: int
    dtype: np.dtype[np.generic]
    """How its samples are stored."""
    samples: int
    """Samples of a ping whose own header says 0."""
    frequency_khz: float | None


def stored_as(bytes_per_sample: int, sample_format: int) -> np.dtype[np.generic] | None:
    """How samples are stored; None for what cannot be read (IBM floats, 64 bits, no samples at all).

    The sample format came with revision 41 and goes before the width, which older files give alone.
    """
    known = {2: "<u4", 3: "<u2", 5: "<f4", 8: "u1"}.get(sample_format)
    if known is None and sample_format != IBM_FLOAT:
        known = {1: "u1", 2: "<u2", 4: "<u4"}.get(bytes_per_sample)
    return None if known is None or bytes_per_sample == 0 else np.dtype(known)


def kilohertz(value: float) -> float | None:
    """A frequency field in kHz; some writers give Hz, most leave 0."""
    if not np.isfinite(value) or value <= 0:
        return None
    in_khz = float(value) / 1000 if value > 5000 else float(value)
    return in_khz if 1 <= in_khz <= 5000 else None
