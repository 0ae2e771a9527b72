"""Which packets of an XTF file are the pings of a channel pair: those with both sides, or one of each side together."""

import mmap
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.sonar.recording import ChannelPair
from app.sonar.xtf_file import let_go
from app.sonar.xtf_index import PingIndex, Report
from app.sonar.xtf_layout import PING, PING_BYTES, ChannelFormat
from app.sonar.xtf_pings import RawPings, channels_of, decode_pings
from app.sonar.xtf_weights import NO_WEIGHT

PING_NUMBER, TIME = (28, "<u4"), (14, "<u8")
"""Offset and type of what the packets of one ping share; the time's eight bytes go from the year to the hundredths."""
LOOKED_AT_ONCE = 1 << 14
"""Packets whose headers are read before their memory is given back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packets:
    """Packets that hold the same channels of a pair."""

    index: PingIndex
    numbers: frozenset[int]
    """Channels that are read from them."""
    pings: NDArray[np.int64] | None = None
    """(packets,) which ping of the pair each belongs to, ascending; None: each is a ping."""


@dataclass(frozen=True, slots=True)
class PairPings:
    """The pings of a channel pair in order: one kind of packets, or port's and starboard's."""

    parts: tuple[Packets, ...]

    def __len__(self) -> int:
        return max(len(p.index) if p.pings is None else int(p.pings[-1]) + 1 for p in self.parts)

    def rows(self, start: int, stop: int) -> "PairPings":
        """Pings `start` to `stop`."""
        return PairPings(tuple(_between(part, start, stop) for part in self.parts))

    def let_go(self, data: mmap.mmap) -> None:
        """Give back the memory of pings that have been read."""
        for part in self.parts:
            if len(part.index):
                let_go(data, int(part.index.offsets[0]), int(part.index.offsets[-1]))

    def decode(
        self, data: mmap.mmap, formats: dict[int, ChannelFormat], turned: dict[int, bool], report: Report
    ) -> RawPings | None:
        """See `decode_pings`; a side whose packet is missing or damaged is 0 in its ping."""
        raws = []
        for part in self.parts:
            wanted = {number: turned[number] for number in part.numbers}
            raw = decode_pings(data, part.index, formats, wanted, report) if len(part.index) else None
            if part.pings is None:
                return raw
            if raw is not None:
                raws.append((part.pings[raw.rows], raw))
        return _joined(raws, turned) if raws else None


def pings_of_pair(
    data: mmap.mmap,
    index: PingIndex,
    formats: dict[int, ChannelFormat],
    pair: ChannelPair,
    *,
    alone: bool,
    report: Report,
) -> PairPings:
    """The pings that hold the pair's channels; files may put each frequency, and each side, into packets of its own.

    Args:
        alone: whether the file has no other pair.
    """
    wanted = frozenset(number for number in (pair.port, pair.starboard) if number is not None)
    if alone and (len(wanted) < 2 or 2 * int(np.count_nonzero(index.channels > 1)) >= len(index)):
        return PairPings((Packets(index=index, numbers=wanted),))
    kinds = _fields(data, index, (PING_BYTES, "<u2")).astype(np.int64) * 65536 + index.channels
    held: dict[frozenset[int], NDArray[np.bool_]] = {}
    for kind in np.unique(kinds):
        rows = kinds == kind
        seen = [_channels_at(data, index, row, formats) for row in np.flatnonzero(rows)[:3].tolist()]
        if numbers := wanted.intersection(set().union(*seen)):
            held[numbers] = held.get(numbers, np.zeros(len(kinds), dtype=bool)) | rows
        elif alone and not any(seen):
            for offset in index.offsets[rows].tolist():
                report(offset, "a ping's channels do not fit into it")
    if len(held) < 2 or wanted in held:
        keep = np.logical_or.reduce(list(held.values())) if held else np.zeros(len(kinds), dtype=bool)
        return PairPings((Packets(index=index.rows(keep), numbers=wanted),))
    return _by_side(data, index, held)


def _by_side(data: mmap.mmap, index: PingIndex, held: dict[frozenset[int], NDArray[np.bool_]]) -> PairPings:
    """Packets of two sides, each numbered by the ping it belongs to."""
    (one, is_one), (other, is_other) = sorted(held.items(), key=lambda item: min(item[0]))
    keep = is_one | is_other
    both, is_one = index.rows(keep), is_one[keep]
    # Ping numbers may be unset or counted by packet, and the sides may fire in turn: then their order decides.
    for field in (PING_NUMBER, TIME, None):
        # By order, a ping goes from one packet of the side that comes first in the file to the next.
        shared = np.cumsum(is_one == is_one[0]) if field is None else _fields(data, both, field)
        ends_ping = _ends_ping(is_one, shared)
        # What never changes is unset, what changes rarely too coarse: it would join a side to another ping's.
        if 4 * min(int(ends_ping.sum()), int(np.count_nonzero(np.diff(shared)))) >= len(both):
            break
    pings = np.cumsum(~ends_ping) - 1
    return PairPings(
        tuple(
            Packets(index=both.rows(rows), numbers=numbers, pings=pings[rows])
            for numbers, rows in ((one, is_one), (other, ~is_one))
        )
    )


def _ends_ping(is_one: NDArray[np.bool_], shared: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which packets are the second half of the packet before: another side, and the same in what halves share."""
    follows = np.zeros(len(is_one), dtype=bool)
    follows[1:] = (is_one[1:] != is_one[:-1]) & (shared[1:] == shared[:-1])
    place = np.arange(len(is_one))
    begin = np.maximum.accumulate(np.where(follows, 0, place))
    ends: NDArray[np.bool_] = follows & ((place - begin) % 2 == 1)
    return ends


def _joined(raws: list[tuple[NDArray[np.int64], RawPings]], numbers: Iterable[int]) -> RawPings:
    """The sides of the same pings beside each other; headers are the first side's where it has the ping."""
    pings = np.unique(np.concatenate([numbered for numbered, _ in raws]))
    width = max(samples.shape[1] for _, raw in raws for samples in raw.samples.values())
    headers, slant_range_m = np.zeros(len(pings), dtype=PING), np.full(len(pings), np.nan)
    side_PS: dict[int, NDArray[np.generic]] = {n: np.zeros((len(pings), width), np.uint8) for n in numbers}
    weights = {n: np.full(len(pings), NO_WEIGHT, dtype=np.int16) for n in numbers}
    ranges_m = {n: np.full(len(pings), np.nan) for n in numbers}
    for numbered, raw in reversed(raws):
        rows = np.searchsorted(pings, numbered)
        headers[rows] = raw.headers
        for number, samples in raw.samples.items():
            side_PS[number] = np.zeros((len(pings), width), dtype=samples.dtype)
            side_PS[number][rows, : samples.shape[1]] = samples
            weights[number][rows] = raw.weights[number]
            ranges_m[number][rows] = raw.ranges_m[number] * (width / samples.shape[1])
            told_m = raw.slant_range_m * (width / samples.shape[1])
            slant_range_m[rows] = np.where(np.isnan(told_m), slant_range_m[rows], told_m)
    return RawPings(
        rows=np.arange(len(pings)),
        headers=headers,
        slant_range_m=slant_range_m,
        ranges_m=ranges_m,
        samples=side_PS,
        weights=weights,
        frequency_khz=next((raw.frequency_khz for _, raw in raws if raw.frequency_khz), None),
    )


def _between(part: Packets, start: int, stop: int) -> Packets:
    if part.pings is None:
        return Packets(index=part.index.rows(slice(start, stop)), numbers=part.numbers)
    rows = slice(*np.searchsorted(part.pings, [start, stop]).tolist())
    return Packets(index=part.index.rows(rows), numbers=part.numbers, pings=part.pings[rows])


def _channels_at(data: mmap.mmap, index: PingIndex, row: int, formats: dict[int, ChannelFormat]) -> set[int]:
    """Empty where the channels do not fit into the packet."""
    raw = np.frombuffer(data, np.uint8, int(index.lengths[row]), int(index.offsets[row]))
    return {channel.number for channel in channels_of(raw, int(index.channels[row]), formats) or ()}


def _fields(data: mmap.mmap, index: PingIndex, field: tuple[int, str]) -> NDArray[np.generic]:
    """One header field of every packet."""
    view, (at, kind) = np.frombuffer(data, dtype=np.uint8), field
    size = np.dtype(kind).itemsize
    found = np.empty((len(index), size), dtype=np.uint8)
    for start in range(0, len(index), LOOKED_AT_ONCE):
        offsets = index.offsets[start : start + LOOKED_AT_ONCE]
        found[start : start + len(offsets)] = view[offsets[:, None] + np.arange(at, at + size)]
        let_go(data, int(offsets[0]), int(offsets[-1]))
    return found.view(kind)[:, 0]
