"""Where the pings of an XTF file stand: one pass over the packet headers, 14 bytes kept for each ping."""

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from app.sonar.xtf_file import let_go
from app.sonar.xtf_layout import CHANNEL_BYTES, MAGIC, MAGIC_BYTES, PACKET, PACKET_BYTES, PING_BYTES, SONAR

HEADER = Struct("<HBBHHHI")
REPEATS_BEFORE_RUN = 3
"""Packets of equal length in a row before numpy looks further: attitude packets come in pairs, which cost more so."""
FIRST_RUN, LONGEST_RUN = 8, 4096
"""Packets looked at in one numpy step, twice as many each time all of them are equal."""
LET_GO_BYTES = 1 << 26
Report = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class PingIndex:
    """Offset, length and number of channels of every sonar ping, in file order."""

    offsets: NDArray[np.int64]
    lengths: NDArray[np.uint32]
    channels: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.offsets)

    def rows(self, rows: slice | NDArray[np.bool_]) -> "PingIndex":
        """The pings that are asked for."""
        return PingIndex(self.offsets[rows], self.lengths[rows], self.channels[rows])


def index_pings(data: mmap.mmap, start: int, report: Report) -> PingIndex:
    """Walk the packets from `start` to the end of the file.

    Damage (no magic number, an impossible length) is passed over up to the next packet and reported once per
    stretch, as is a last packet that is cut short.
    """
    parts: list[tuple[int, int, int, int]] = []
    size, position, released = len(data), start, start
    last_length, repeats, run = -1, 0, FIRST_RUN
    while position + PACKET_BYTES <= size:
        magic, kind, _sub, channels, _a, _b, length = HEADER.unpack_from(data, position)
        end = position + length
        followed = length >= PACKET_BYTES and data[end : end + 2] == MAGIC_BYTES
        if magic != MAGIC or not (followed or _is_whole(data, position, length)):
            position, last_length = _resume(data, position, report), -1
            continue
        count = 1
        repeats = repeats + 1 if length == last_length else 0
        if repeats >= REPEATS_BEFORE_RUN:
            count = _equal_run(data, position, kind, channels, length, run)
            run = min(2 * run, LONGEST_RUN) if count == run else FIRST_RUN
        if kind == SONAR and length >= PING_BYTES + CHANNEL_BYTES and channels > 0:
            parts.append((position, length, channels, count))
        last_length = length
        position += count * length
        if position - released > LET_GO_BYTES:
            let_go(data, released, position)
            released = position
    if position < size and any(data[position:size]):
        report(position, f"the last {size - position} bytes are no whole packet (file cut short or damaged)")
    return _unrolled(parts)


def _unrolled(parts: list[tuple[int, int, int, int]]) -> PingIndex:
    """One entry per ping from runs of (first offset, length, channels, count)."""
    runs = np.asarray(parts, dtype=np.int64).reshape(-1, 4)
    first, lengths, channels, counts = runs.T
    place_in_run = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return PingIndex(
        np.repeat(first, counts) + place_in_run * np.repeat(lengths, counts),
        np.repeat(lengths.astype(np.uint32), counts),
        np.repeat(channels.astype(np.uint16), counts),
    )


def _equal_run(data: mmap.mmap, position: int, kind: int, channels: int, length: int, most: int) -> int:
    """How many packets from `position` on follow at distance `length` with the same kind and channels."""
    room = min((len(data) - position) // length, most)
    headers = np.ndarray((room,), dtype=PACKET, buffer=data, offset=position, strides=(length,))
    same = (headers["magic"] == MAGIC) & (headers["bytes"] == length)
    same &= (headers["type"] == kind) & (headers["channels"] == channels)
    return int(room if same.all() else np.argmin(same))


def _is_whole(data: mmap.mmap, position: int, length: int) -> bool:
    """Whether a packet that no other follows fits into the file, and its length swallows none.

    Either the next one or this length is damaged: the length, if a whole
    packet followed by another begins inside.
    """
    end = position + length
    if length < PACKET_BYTES or end > len(data):
        return False
    if end + 2 > len(data):
        return True
    inside = data.find(MAGIC_BYTES, position + PACKET_BYTES, end)
    while inside != -1:
        if _leads_on(data, inside):
            return False
        inside = data.find(MAGIC_BYTES, inside + 1, end)
    return True


def _leads_on(data: mmap.mmap, position: int) -> bool:
    """Whether what looks like a packet is followed by another, or by the end of the file."""
    if position + PACKET_BYTES > len(data):
        return False
    length = HEADER.unpack_from(data, position)[6]
    end = position + length
    return length >= PACKET_BYTES and (end == len(data) or data[end : end + 2] == MAGIC_BYTES)


def _resume(data: mmap.mmap, position: int, report: Report) -> int:
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
