"""XTF recordings: any size, any number of channels, 8 to 32 bits, in constant memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import SonarFileError
from app.sonar.recording import BLOCK_PINGS, ChannelPair, Defect
from app.sonar.waterfall import Waterfall
from app.sonar.xtf_file import map_file, pair_channels, read_header
from app.sonar.xtf_index import index_pings
from app.sonar.xtf_navigation import navigation_of
from app.sonar.xtf_order import is_near_first
from app.sonar.xtf_pings import RawPings
from app.sonar.xtf_position import is_ships
from app.sonar.xtf_ranges import at_one_range
from app.sonar.xtf_sides import PairPings, pings_of_pair
from app.sonar.xtf_weights import at_one_weight, usual_weight

DEFECTS_KEPT = 200
"""More are counted in a last entry: a file of noise must not fill the memory with complaints."""
LEARN_PINGS = 128
"""Pings that the port order and the usual weights are taken from."""
PORT_ORDERS = ("auto", "far-first", "near-first")


class XtfRecording:
    """An XTF file; see `Recording`."""

    def __init__(self, path: Path, *, range_m: float | None = None, port_order: str = "auto") -> None:
        """Read the header and index the pings.

        Args:
            range_m: slant range of the last sample, where the file leaves it unset.
            port_order: `far-first` (the convention), `near-first`, or `auto`, see `xtf_order`.

        Raises:
            SonarFileError: not XTF, empty, without side-scan channels or without a whole ping.
        """
        if port_order not in PORT_ORDERS:
            raise SonarFileError(
                f"port_order={port_order!r} is unknown; give one of {', '.join(PORT_ORDERS)}"
            )
        self.source = path.name
        self._range_m, self._port_order = range_m, port_order
        self._defects: dict[tuple[int, str], Defect] = {}
        self._more_defects = 0
        self._data = map_file(path)
        self._header = read_header(self._data, path.name)
        self.channel_pairs = pair_channels(self._header.formats)
        if not self.channel_pairs:
            raise SonarFileError(
                f"{path.name} has no side-scan channel; give a recording with port or starboard channels"
            )
        self._index = index_pings(self._data, self._header.length_bytes, self._report)
        if len(self._index) == 0:
            raise SonarFileError(
                f"{path.name} holds no whole sonar ping ({len(self._data)} bytes); copy or record it again"
            )
        self._ships = is_ships(self._data, self._index)
        self._near_first: dict[int, bool] = {}
        self._usual_weight: dict[int, int] = {}

    @property
    def defects(self) -> tuple[Defect, ...]:
        """See `Recording.defects`."""
        kept = tuple(self._defects.values())
        if not self._more_defects:
            return kept
        return (*kept, Defect(offset_bytes=None, what=f"{self._more_defects} more places are damaged"))

    def ping_count(self, pair: int | None = None) -> int:
        """See `Recording.ping_count`; pings that turn out damaged when they are read are counted here."""
        return len(self._pings_of(self._chosen(pair)))

    def blocks(self, *, pings: int = BLOCK_PINGS, pair: int | None = None) -> Iterator[Waterfall]:
        """See `Recording.blocks`.

        Raises:
            SonarFileError: no such pair, or none of its pings is whole.
        """
        chosen = self._chosen(pair)
        all_pings = self._pings_of(chosen)
        self._learn(chosen, all_pings)
        turned = self._turned(chosen)
        first = 0
        for start in range(0, len(all_pings), pings):
            some = all_pings.rows(start, start + pings)
            raw = some.decode(self._data, self._header.formats, turned, self._report)
            if raw is not None:
                block = self._waterfall(raw, chosen, first)
                first += block.pings
                yield block
            some.let_go(self._data)
        if first == 0:
            raise SonarFileError(
                f"{self.source} holds no whole ping of {chosen}; choose another pair or copy it again"
            )

    def _report(self, offset: int, what: str) -> None:
        """Keep a defect once, however often the file is read."""
        if len(self._defects) < DEFECTS_KEPT:
            self._defects.setdefault((offset, what), Defect(offset_bytes=offset, what=what))
        elif (offset, what) not in self._defects:
            self._more_defects += 1

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

    def _pings_of(self, pair: ChannelPair) -> PairPings:
        alone = len(self.channel_pairs) == 1
        return pings_of_pair(
            self._data, self._index, self._header.formats, pair, alone=alone, report=self._report
        )

    def _learn(self, pair: ChannelPair, pings: PairPings) -> None:
        """From the first pings: which end of port is nearest, and the weight that all others are brought to."""
        if _numbers(pair) <= self._usual_weight.keys():
            return
        stored = dict.fromkeys(_numbers(pair), False)
        some = pings.rows(0, LEARN_PINGS).decode(self._data, self._header.formats, stored, lambda *_: None)
        for number in _numbers(pair):
            self._usual_weight[number] = 0 if some is None else usual_weight(some.weights[number])
        if pair.port is not None and some is not None:
            sides = self._evened(some)
            self._near_first[pair.port] = is_near_first(
                sides[pair.port], None if pair.starboard is None else sides[pair.starboard]
            )

    def _evened(self, raw: RawPings) -> dict[int, NDArray[np.generic]]:
        """Samples by channel number, all pings with the usual weight."""
        return {n: at_one_weight(s, raw.weights[n], self._usual_weight[n]) for n, s in raw.samples.items()}

    def _turned(self, pair: ChannelPair) -> dict[int, bool]:
        """The pair's channels, and whether their samples have to be turned round to begin nearest."""
        stored = dict.fromkeys(_numbers(pair), False)
        if pair.port is None:
            return stored
        near_first = self._port_order == "near-first"
        if self._port_order == "auto":
            near_first = self._near_first.get(pair.port, False)
        return stored | {pair.port: not near_first}

    def _waterfall(self, raw: RawPings, pair: ChannelPair, first: int) -> Waterfall:
        sides, slant_m = at_one_range(self._evened(raw), raw.ranges_m, raw.slant_range_m)
        if self._range_m is not None:
            slant_m = np.where(np.isnan(slant_m), self._range_m, slant_m)
        navigation, warnings = navigation_of(raw.headers, slant_m, self._header.nav_units, ships=self._ships)
        if self._header.ground_range:
            # Geometry takes altitude 0 for "nothing to remove".
            navigation = replace(navigation, altitude_m=np.zeros(len(slant_m)))
            warnings = (*warnings, "the recorder already removed the water column; heights are not measured")
        return Waterfall(
            source=self.source,
            first_ping=first,
            port_PS=None if pair.port is None else sides[pair.port],
            starboard_PS=None if pair.starboard is None else sides[pair.starboard],
            slant_range_m=slant_m,
            navigation=navigation,
            frequency_khz=pair.frequency_khz or raw.frequency_khz,
            warnings=warnings,
        )


def _numbers(pair: ChannelPair) -> set[int]:
    return {number for number in (pair.port, pair.starboard) if number is not None}
