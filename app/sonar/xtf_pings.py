"""Pings of an XTF file as arrays: channels found, samples gathered, shorter pings padded.

Shape suffixes: P pings, S samples. All pings of a block that have the same channels are decoded together.
"""

import mmap
from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.sonar.echoes import only_echoes
from app.sonar.waterfall import Floats
from app.sonar.xtf_index import PingIndex, Report
from app.sonar.xtf_layout import CHANNEL, CHANNEL_BYTES, PING, PING_BYTES, ChannelFormat, kilohertz
from app.sonar.xtf_navigation import slant_range_of
from app.sonar.xtf_weights import NO_WEIGHT, Weights

WIDEST_RATIO = 8
"""A ping with so many times the usual samples is damaged: padding its neighbours to it could fill the memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelPlace:
    """A channel inside a ping."""

    number: int
    header_at: int
    samples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PingGroup:
    """Pings of a block with the same channels and sample counts."""

    rows: NDArray[np.int64]
    raw: NDArray[np.uint8]
    """(rows, bytes), a view into the file where the pings follow at equal distance."""
    channels: tuple[ChannelPlace, ...]

    def widest(self, wanted: Container[int]) -> int:
        """Most samples of a wanted channel; 0 if the group has none of them."""
        return max((c.samples for c in self.channels if c.number in wanted), default=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawPings:
    """Whole pings of a block, samples as stored."""

    rows: NDArray[np.int64]
    """Which of the pings asked for they are."""
    headers: NDArray[np.void]
    slant_range_m: Floats
    """Range of the last column, padding included, of the first channel that tells it."""
    ranges_m: dict[int, Floats]
    """(P,) the same by channel number, NaN where unset."""
    samples: dict[int, NDArray[np.generic]]
    """(P, S) by channel number; 0 beyond the last sample of a shorter ping."""
    weights: dict[int, Weights]
    """(P,) by channel number, see `xtf_weights`."""
    frequency_khz: float | None


def channels_of(
    raw: NDArray[np.uint8], count: int, formats: dict[int, ChannelFormat]
) -> list[ChannelPlace] | None:
    """The channels of one ping (its bytes); None if they do not fit into it."""
    found, place = [], PING_BYTES
    for _ in range(count):
        if place + CHANNEL_BYTES > len(raw):
            return None
        header = raw[place : place + CHANNEL_BYTES].view(CHANNEL)[0]
        form = formats.get(int(header["number"]))
        if form is None:
            return None
        samples = int(header["samples"]) or form.samples
        end = place + CHANNEL_BYTES + samples * form.dtype.itemsize
        if end > len(raw):
            return None
        found.append(ChannelPlace(number=form.number, header_at=place, samples=samples))
        place = end
    return found


def decode_pings(
    data: mmap.mmap,
    index: PingIndex,
    formats: dict[int, ChannelFormat],
    wanted: dict[int, bool],
    report: Report,
) -> RawPings | None:
    """Some channels of some pings; what is damaged is reported and left out.

    Args:
        wanted: channel numbers, and whether their samples are turned round.

    Returns:
        None if no ping is whole.
    """
    groups = _only_usual(_groups(data, index, formats, report), index, wanted, report)
    if not groups:
        return None
    good = np.sort(np.concatenate([g.rows for g in groups]))
    width = max(g.widest(wanted) for g in groups)
    headers = np.empty(len(good), dtype=PING)
    slant_m = np.full(len(good), np.nan)
    samples = {n: np.zeros((len(good), width), dtype=_kept_as(formats[n])) for n in wanted}
    ranges_m = {n: np.full(len(good), np.nan) for n in wanted}
    weights = {n: np.full(len(good), NO_WEIGHT, dtype=np.int16) for n in wanted}
    frequency_khz: float | None = None
    for group in groups:
        rows = np.searchsorted(good, group.rows)
        headers[rows] = group.raw[:, :PING_BYTES].view(PING)[:, 0]
        for channel in group.channels:
            if channel.number not in wanted or channel.samples == 0:
                continue
            start = channel.header_at + CHANNEL_BYTES
            header = group.raw[:, channel.header_at : start].view(CHANNEL)[:, 0]
            told_m = slant_range_of(header, headers[rows]) * (width / channel.samples)
            ranges_m[channel.number][rows] = told_m
            slant_m[rows] = np.where(np.isnan(slant_m[rows]), told_m, slant_m[rows])
            weights[channel.number][rows] = header["weight"]
            frequency_khz = frequency_khz or kilohertz(float(header["frequency"][0]))
            form = formats[channel.number]
            stored = group.raw[:, start : start + channel.samples * form.dtype.itemsize].view(form.dtype)
            _put(samples[channel.number], rows, stored[:, ::-1] if wanted[channel.number] else stored)
    return RawPings(
        rows=good,
        headers=headers,
        slant_range_m=slant_m,
        ranges_m=ranges_m,
        samples=samples,
        weights=weights,
        frequency_khz=frequency_khz,
    )


def _groups(
    data: mmap.mmap, index: PingIndex, formats: dict[int, ChannelFormat], report: Report
) -> list[PingGroup]:
    groups = []
    keys = index.lengths.astype(np.int64) * 65536 + index.channels
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        raw = _gather(data, index.offsets[rows], int(key // 65536))
        left = np.arange(len(rows))
        while len(left):
            channels = channels_of(raw[left[0]], int(key % 65536), formats)
            if channels is None:
                report(int(index.offsets[rows[left[0]]]), "a ping's channels do not fit into it")
                left = left[1:]
                continue
            same = _same_channels(raw, left, channels)
            members = left[same]
            groups.append(
                PingGroup(
                    rows=rows[members],
                    raw=raw if len(members) == len(raw) else raw[members],
                    channels=tuple(channels),
                )
            )
            left = left[~same]
    return groups


def _same_channels(
    raw: NDArray[np.uint8], left: NDArray[np.int64], channels: list[ChannelPlace]
) -> NDArray[np.bool_]:
    """Which of the rows `left` have the same channels and sample counts as the first of them."""
    same = np.ones(len(left), dtype=bool)
    for channel in channels:
        header = raw[:, channel.header_at : channel.header_at + CHANNEL_BYTES].view(CHANNEL)[:, 0]
        numbers, samples = header["number"][left], header["samples"][left]
        same &= (numbers == numbers[0]) & (samples == samples[0])
    return same


def _only_usual(
    groups: list[PingGroup], index: PingIndex, wanted: Container[int], report: Report
) -> list[PingGroup]:
    """Groups with samples of a wanted channel, without those absurdly wider than the rest of the block."""
    groups = [g for g in groups if g.widest(wanted) > 0]
    if not groups:
        return []
    usual = int(np.median(np.repeat([g.widest(wanted) for g in groups], [len(g.rows) for g in groups])))
    kept = []
    for group in groups:
        if group.widest(wanted) <= WIDEST_RATIO * usual:
            kept.append(group)
            continue
        for row in group.rows.tolist():
            report(
                int(index.offsets[row]), f"a ping of {group.widest(wanted)} samples where {usual} are usual"
            )
    return kept


def _gather(data: mmap.mmap, offsets: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
    """Pings as rows of bytes: a view where they follow at equal distance, else a copy."""
    steps = np.diff(offsets)
    if len(offsets) == 1 or (steps == steps[0]).all():
        stride = int(steps[0]) if len(steps) else length
        return np.ndarray(
            (len(offsets), length), np.uint8, buffer=data, offset=int(offsets[0]), strides=(stride, 1)
        )
    return sliding_window_view(np.frombuffer(data, dtype=np.uint8), length)[offsets]


def _kept_as(form: ChannelFormat) -> np.dtype[np.generic]:
    """32-bit samples become float32, which cv2 takes and which is exact up to 16.7 million."""
    return np.dtype(np.float32) if form.dtype.itemsize == 4 else form.dtype


def _put(target: NDArray[np.generic], rows: NDArray[np.int64], stored: NDArray[np.generic]) -> None:
    width = stored.shape[1]
    values = only_echoes(stored) if stored.dtype.kind == "f" else stored
    if len(rows) == len(target):
        target[:, :width] = values
    else:
        target[rows, :width] = values
