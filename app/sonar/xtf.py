"""XTF recordings: any size, any number of channels, 8 to 32 bits, in constant memory."""

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import SonarFileError
from app.sonar.recording import BLOCK_PINGS, ChannelPair, Defect
from app.sonar.waterfall import Waterfall
from app.sonar.xtf_index import PingIndex, index_pings
from app.sonar.xtf_layout import (
    CHANNEL,
    CHANNEL_BYTES,
    CHANNEL_INFO,
    CHANNEL_INFO_BYTES,
    CHANNELS_IN_FIRST_HEADER,
    FILE_FORMAT,
    FILE_HEADER,
    FILE_HEADER_BYTES,
    PING,
    PING_BYTES,
    PORT,
    STARBOARD,
    ChannelFormat,
    kilohertz,
)
from app.sonar.xtf_navigation import navigation_of, slant_range_of

DEFECTS_KEPT = 200
"""More are counted in a last entry: a file of noise must not fill the memory with complaints."""
ORDER_PINGS = 512
SAMPLES_LIMIT = 1 << 20
"""No sonar records more samples in a ping; a larger number is damage."""


class XtfRecording:
    """An XTF file; see `Recording`."""

    def __init__(self, path: Path, *, range_m: float | None = None, port_order: str = "auto") -> None:
        """Read the header and index the pings.

        Raises:
            SonarFileError: not XTF, empty, without side-scan channels or without a whole ping.
        """
        self.source = path.name
        self._range_m, self._port_order = range_m, port_order
        self._defects: list[Defect] = []
        self._more_defects = 0
        self._data = _map(path)
        self._formats, header_bytes, self.nav_units = _read_header(self._data, path.name)
        self.channel_pairs = _pair(self._formats)
        if not self.channel_pairs:
            raise SonarFileError(
                f"{path.name} has no side-scan channel; sonarstack reads port and starboard channels"
            )
        self._index = index_pings(self._data, header_bytes, self._report)
        if len(self._index) == 0:
            raise SonarFileError(
                f"{path.name} holds no whole sonar ping ({len(self._data)} bytes); record it again"
            )
        self._layouts: dict[tuple[int, int], frozenset[int]] = {}
        self._near_first: dict[int, bool] = {}

    @property
    def defects(self) -> tuple[Defect, ...]:
        """See `Recording.defects`."""
        if not self._more_defects:
            return tuple(self._defects)
        return (
            *self._defects,
            Defect(offset_bytes=None, what=f"{self._more_defects} more places are damaged"),
        )

    def _report(self, offset: int, what: str) -> None:
        if len(self._defects) < DEFECTS_KEPT:
            self._defects.append(Defect(offset_bytes=offset, what=what))
        else:
            self._more_defects += 1

    def ping_count(self, pair: int | None = None) -> int:
        """See `Recording.ping_count`."""
        return len(self._pings_of(self._chosen(pair)))

    def blocks(self, *, pings: int = BLOCK_PINGS, pair: int | None = None) -> Iterator[Waterfall]:
        """See `Recording.blocks`."""
        chosen = self._chosen(pair)
        index = self._pings_of(chosen)
        first = 0
        for start in range(0, len(index), pings):
            rows = slice(start, start + pings)
            block = self._block(
                PingIndex(index.offsets[rows], index.lengths[rows], index.channels[rows]), chosen, first
            )
            if block is not None:
                first += block.pings
                yield block

    def _chosen(self, pair: int | None) -> ChannelPair:
        if pair is None:
            return max(
                self.channel_pairs,
                key=lambda p: (p.port is not None and p.starboard is not None, p.frequency_khz or 0.0),
            )
        if not 0 <= pair < len(self.channel_pairs):
            listed = "; ".join(f"{i}: {p}" for i, p in enumerate(self.channel_pairs))
            raise SonarFileError(f"{self.source} has no channel pair {pair}; it has {listed}")
        return self.channel_pairs[pair]

    def _pings_of(self, pair: ChannelPair) -> PingIndex:
        """Pings that hold the pair's channels; files may put each frequency into pings of its own."""
        wanted = {c for c in (pair.port, pair.starboard) if c is not None}
        if len(self.channel_pairs) == 1:
            return self._index
        first = np.empty(len(self._index), dtype=np.int64)
        view = np.frombuffer(self._data, dtype=np.uint8)
        at = self._index.offsets + PING_BYTES
        first[:] = view[at].astype(np.int64) + 256 * view[at + 1].astype(np.int64)
        keys = first * 65536 + self._index.channels
        keep = np.zeros(len(keys), dtype=bool)
        for key in np.unique(keys):
            rows = keys == key
            some = int(np.argmax(rows))
            keep[rows] = bool(wanted & self._channels_of(some))
        return self._index.only(keep)

    def _channels_of(self, row: int) -> set[int]:
        raw = np.frombuffer(
            self._data, np.uint8, int(self._index.lengths[row]), int(self._index.offsets[row])
        )
        return {number for number, _, _ in self._walk(raw, int(self._index.channels[row])) or ()}

    def _walk(self, raw: NDArray[np.uint8], channels: int) -> list[tuple[int, int, int]] | None:
        """Channel number, place of its header and samples, for each channel of a ping; None if damaged."""
        found, place = [], PING_BYTES
        for _ in range(channels):
            if place + CHANNEL_BYTES > len(raw):
                return None
            header = raw[place : place + CHANNEL_BYTES].view(CHANNEL)[0]
            number, samples = int(header["number"]), int(header["samples"])
            form = self._formats.get(number)
            if form is None:
                return None
            samples = samples or form.samples
            end = place + CHANNEL_BYTES + samples * form.bytes_per_sample
            if samples > SAMPLES_LIMIT or end > len(raw):
                return None
            found.append((number, place, samples))
            place = end
        return found

    def _block(self, index: PingIndex, pair: ChannelPair, first: int) -> Waterfall | None:
        """Decode pings, in groups of equal layout; damaged ones are reported and dropped."""
        rows = len(index)
        headers = np.zeros(rows, dtype=PING)
        slant, good = np.full(rows, np.nan), np.zeros(rows, dtype=bool)
        sides: dict[int, NDArray[np.generic]] = {}
        frequency: float | None = None
        keys = index.lengths * 65536 + index.channels
        for key in np.unique(keys):
            members = np.flatnonzero(keys == key)
            raw = self._gather(index.offsets[members], int(key // 65536))
            while len(members):
                layout = self._walk(raw[0], int(key % 65536))
                if layout is None:
                    self._report(
                        int(index.offsets[members[0]]), "a ping's channel headers do not fit into it"
                    )
                    members, raw = members[1:], raw[1:]
                    continue
                same = _same_layout(raw, layout)
                now, part = members[same], raw if same.all() else raw[same]
                headers[now] = part[:, :PING_BYTES].view(PING)[:, 0]
                good[now] = True
                for number, place, samples in layout:
                    if number not in (pair.port, pair.starboard):
                        continue
                    channel = part[:, place : place + CHANNEL_BYTES].view(CHANNEL)[:, 0]
                    slant[now] = np.where(
                        np.isnan(slant[now]), slant_range_of(channel, headers[now]), slant[now]
                    )
                    frequency = frequency or kilohertz(float(channel["frequency"][0]))
                    self._put(sides, number, now, part, place + CHANNEL_BYTES, samples, rows)
                members, raw = members[~same], raw[~same]
        if not good.any():
            return None
        return self._waterfall(headers[good], slant[good], sides, good, pair, frequency, first)

    def _gather(self, offsets: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
        """Pings as rows of bytes: a view where they follow at equal distance, else a copy."""
        steps = np.diff(offsets)
        if len(offsets) == 1 or (steps == steps[0]).all():
            stride = int(steps[0]) if len(steps) else length
            return np.ndarray(
                (len(offsets), length),
                np.uint8,
                buffer=self._data,
                offset=int(offsets[0]),
                strides=(stride, 1),
            )
        view = np.frombuffer(self._data, dtype=np.uint8)
        return np.stack([view[o : o + length] for o in offsets.tolist()])

    def _put(
        self,
        sides: dict[int, NDArray[np.generic]],
        number: int,
        rows: NDArray[np.int64],
        raw: NDArray[np.uint8],
        place: int,
        samples: int,
        total: int,
    ) -> None:
        """Samples of one channel into its array, far ends of shorter pings left 0."""
        form = self._formats[number]
        values = raw[:, place : place + samples * form.bytes_per_sample].view(form.dtype)
        if form.bytes_per_sample == 4:
            values = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
        if form.type == PORT and not self._is_near_first(number, values):
            values = values[:, ::-1]
        target = sides.get(number)
        if target is None or target.shape[1] < samples:
            grown = np.zeros((total, samples), dtype=values.dtype)
            if target is not None:
                grown[:, : target.shape[1]] = target
            target = sides[number] = grown
        if len(rows) == total and samples == target.shape[1]:
            target[:] = values
        else:
            target[rows, :samples] = values

    def _is_near_first(self, number: int, values: NDArray[np.generic]) -> bool:
        """Whether a port channel is stored nearest sample first; decided at its first pings, then kept.

        `auto` looks for the water column: the end at which the first return is preceded by darkness on most
        pings. Where neither end is clearly darker, XTF's convention (far first) stands.
        """
        if self._port_order != "auto":
            return self._port_order == "near-first"
        if number not in self._near_first:
            profile = values[:ORDER_PINGS].astype(np.float32).mean(0)
            edge = max(1, len(profile) // 64)
            left, right = (
                float(np.median(profile[edge : 3 * edge])),
                float(np.median(profile[-3 * edge : -edge])),
            )
            self._near_first[number] = left * 3 < right and left < 0.3 * float(np.median(profile))
        return self._near_first[number]

    def _waterfall(
        self,
        headers: NDArray[np.void],
        slant_m: NDArray[np.float64],
        sides: dict[int, NDArray[np.generic]],
        good: NDArray[np.bool_],
        pair: ChannelPair,
        frequency: float | None,
        first: int,
    ) -> Waterfall:
        width = max(s.shape[1] for s in sides.values()) if sides else 0

        def side(number: int | None) -> NDArray[np.generic] | None:
            values = None if number is None else sides.get(number)
            if values is None:
                return None
            values = values if good.all() else values[good]
            return (
                values if values.shape[1] == width else np.pad(values, ((0, 0), (0, width - values.shape[1])))
            )

        if self._range_m is not None:
            slant_m = np.where(np.isnan(slant_m), self._range_m, slant_m)
        navigation, warnings = navigation_of(headers, slant_m, self.nav_units)
        return Waterfall(
            source=self.source,
            first_ping=first,
            port_PS=side(pair.port),
            starboard_PS=side(pair.starboard),
            slant_range_m=slant_m,
            navigation=navigation,
            frequency_khz=pair.frequency_khz or frequency,
            warnings=warnings,
        )


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap refuses empty files
        raise SonarFileError(f"{path.name} is empty; copy it again") from error
    except OSError as error:
        raise SonarFileError(
            f"{path} cannot be read ({error.strerror}); check the path and the rights"
        ) from error


def _read_header(data: mmap.mmap, name: str) -> tuple[dict[int, ChannelFormat], int, int]:
    """Channel formats by number, the header's length, and the units of positions."""
    if data[0] != FILE_FORMAT:
        raise SonarFileError(
            f"{name} is not XTF (its first byte is {data[0]}, XTF begins with {FILE_FORMAT})"
        )
    if len(data) < FILE_HEADER_BYTES:
        raise SonarFileError(f"{name} is cut short inside its header ({len(data)} bytes); copy it again")
    header = np.frombuffer(data, FILE_HEADER, 1)[0]
    count = int(header["sonar_channels"]) + int(header["bathymetry_channels"])
    extra = max(0, count - CHANNELS_IN_FIRST_HEADER)
    blocks = -(-extra * CHANNEL_INFO_BYTES // FILE_HEADER_BYTES)
    length = FILE_HEADER_BYTES * (1 + blocks)
    if count > 64 or length > len(data):
        count, length = CHANNELS_IN_FIRST_HEADER, FILE_HEADER_BYTES
    infos = np.frombuffer(data, CHANNEL_INFO, max(count, CHANNELS_IN_FIRST_HEADER), 256)
    formats = {}
    for number, info in enumerate(infos):
        width = int(info["bytes_per_sample"])
        if width in (1, 2, 4):
            formats[number] = ChannelFormat(
                number=number,
                type=int(info["type"]),
                bytes_per_sample=width,
                sample_format=int(info["sample_format"]),
                samples=min(int(info["samples"]), SAMPLES_LIMIT),
                frequency_khz=kilohertz(float(info["frequency"])),
            )
    return formats, length, int(header["nav_units"])


def _pair(formats: dict[int, ChannelFormat]) -> tuple[ChannelPair, ...]:
    """The n-th port channel belongs to the n-th starboard channel."""
    ports = [f for f in formats.values() if f.type == PORT]
    starboards = [f for f in formats.values() if f.type == STARBOARD]
    pairs = []
    for index in range(max(len(ports), len(starboards))):
        port = ports[index] if index < len(ports) else None
        starboard = starboards[index] if index < len(starboards) else None
        frequencies = [f.frequency_khz for f in (port, starboard) if f is not None and f.frequency_khz]
        pairs.append(
            ChannelPair(
                port=None if port is None else port.number,
                starboard=None if starboard is None else starboard.number,
                frequency_khz=frequencies[0] if frequencies else None,
            )
        )
    return tuple(pairs)


def _same_layout(raw: NDArray[np.uint8], layout: list[tuple[int, int, int]]) -> NDArray[np.bool_]:
    """Which rows have the same channels with the same number of samples as the first."""
    same = np.ones(len(raw), dtype=bool)
    for _, place, _ in layout:
        channel = raw[:, place : place + CHANNEL_BYTES].view(CHANNEL)[:, 0]
        same &= (channel["number"] == channel["number"][0]) & (channel["samples"] == channel["samples"][0])
    return same
