"""Where the pings of an XTF file stand: one pass over the packet headers, 22 bytes kept for each ping."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from app.sonar.xtf_layout import CHANNEL_BYTES, MAGIC, MAGIC_BYTES, PACKET, PACKET_BYTES, PING_BYTES, SONAR

HEADER = Struct("<HBBHHHI")
RUN = 4096
"""Packets looked at in one numpy step where they follow one another at equal distance."""


@dataclass(frozen=True, slots=True)
class PingIndex:
    """Offset, length and number of channels of every sonar ping, in file order."""

    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    channels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)

    def only(self, rows: NDArray[np.bool_]) -> "PingIndex":
        """The pings where `rows` is true."""
        return PingIndex(self.offsets[rows], self.lengths[rows], self.channels[rows])


def index_pings(data: mmap.mmap, start: int, report: Callable[[int, str], None]) -> PingIndex:
    """Walk the packets from `start` to the end of the file.

    Damage (no magic number, an impossible length) is passed over up to the next packet and reported once per
    stretch, as is a last packet that is cut short.
    """
    parts: list[tuple[NDArray[np.int64], int, int]] = []
    size, position = len(data), start
    last_length = -1
    while position + PACKET_BYTES <= size:
        magic, kind, _sub, channels, _a, _b, length = HEADER.unpack_from(data, position)
        if magic != MAGIC or length < PACKET_BYTES:
            position = _resume(data, position, report)
            continue
        if position + length > size:
            found = _resume(data, position, report)
            if found >= size:
                break
            position = found
            continue
        count = 1
        if length == last_length:
            count = _equal_run(data, position, kind, channels, length)
        if kind == SONAR and length >= PING_BYTES + CHANNEL_BYTES and channels > 0:
            parts.append((position + length * np.arange(count, dtype=np.int64), length, channels))
        last_length = length
        position += count * length
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return PingIndex(nothing, nothing, nothing)
    sizes = [len(offsets) for offsets, _, _ in parts]
    return PingIndex(
        np.concatenate([offsets for offsets, _, _ in parts]),
        np.repeat(np.asarray([length for _, length, _ in parts], dtype=np.int64), sizes),
        np.repeat(np.asarray([channels for _, _, channels in parts], dtype=np.int64), sizes),
    )


def _equal_run(data: mmap.mmap, position: int, kind: int, channels: int, length: int) -> int:
    """How many packets from `position` on follow at distance `length` with the same kind and channels."""
    room = min((len(data) - position) // length, RUN)
    headers = np.ndarray((room,), dtype=PACKET, buffer=data, offset=position, strides=(length,))
    same = (headers["magic"] == MAGIC) & (headers["bytes"] == length)
    same &= (headers["type"] == kind) & (headers["channels"] == channels)
    return int(room if same.all() else np.argmin(same))


def _resume(data: mmap.mmap, position: int, report: Callable[[int, str], None]) -> int:
    """The next place that looks like a packet which fits into the file; the end if there is none."""
    size = len(data)
    place = data.find(MAGIC_BYTES, position + 1)
    while place != -1 and place + PACKET_BYTES <= size:
        length = HEADER.unpack_from(data, place)[6]
        if PACKET_BYTES <= length <= size - place:
            report(position, f"{place - position} bytes are damaged and were passed over")
            return place
        place = data.find(MAGIC_BYTES, place + 1)
    report(position, f"the last {size - position} bytes are no whole packet (file cut short or damaged)")
    return size
