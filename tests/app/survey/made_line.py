"""A survey line of our own: flat bottom, straight track, boxes of known place and height with exact shadows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod

from app.sonar.recording import ChannelPair, Defect
from app.sonar.waterfall import Floats, Navigation, PositionUnits, Side, Waterfall

WGS84 = Geod(ellps="WGS84")
START = -68.8280, 48.4450


@dataclass(frozen=True, kw_only=True)
class Block:
    """A box on the bottom with a flat top."""

    side: Side
    along_m: float
    """Its centre, from the line's start."""
    ground_m: float
    """Its centre, from the track."""
    length_m: float = 2.0
    """Along track."""
    width_m: float = 1.0
    height_m: float = 1.0


@dataclass(frozen=True, kw_only=True)
class MadeLine:
    """A recording in memory that behaves as a file does; see `Recording`."""

    blocks_on_bottom: tuple[Block, ...] = ()
    pings: int = 1500
    samples: int = 1000
    range_m: float = 50.0
    altitude_m: float = 8.0
    spacing_m: float = 0.1
    heading_deg: float = 37.0
    units: PositionUnits | None = PositionUnits.DEGREES
    grid_origin_m: tuple[float, float] = (571_000.0, 5_181_400.0)
    source: str = "made.xtf"
    dtype: type = np.uint8
    fail_at_ping: int | None = None
    defects: tuple[Defect, ...] = ()
    channel_pairs: tuple[ChannelPair, ...] = field(
        default=(ChannelPair(port=0, starboard=1, frequency_khz=455.0),)
    )

    def ping_count(self, pair: int | None = None) -> int:
        """See `Recording.ping_count`."""
        return self.pings

    def blocks(self, *, pings: int = 2048, pair: int | None = None) -> Iterator[Waterfall]:
        """See `Recording.blocks`; fails with an error of the disk at `fail_at_ping`."""
        for first in range(0, self.pings, pings):
            if self.fail_at_ping is not None and first >= self.fail_at_ping:
                raise OSError(5, "Input/output error")
            yield self.waterfall(first, min(first + pings, self.pings))

    def waterfall(self, first: int, last: int) -> Waterfall:
        """Pings `first` to `last`."""
        count = last - first
        x, y = self.positions(self.row_m(first, last))
        return Waterfall(
            source=self.source,
            first_ping=first,
            port_PS=self._side(Side.PORT, first, last),
            starboard_PS=self._side(Side.STARBOARD, first, last),
            slant_range_m=np.full(count, self.range_m),
            navigation=Navigation(
                time_s=1_700_000_000.0 + np.arange(first, last) * 0.1,
                x=None if self.units is None else x,
                y=None if self.units is None else y,
                units=self.units,
                heading_deg=None if self.units is None else np.full(count, self.heading_deg),
                altitude_m=np.full(count, self.altitude_m),
            ),
            frequency_khz=455.0,
        )

    def positions(self, along_m: Floats) -> tuple[Floats, Floats]:
        """Position of the towfish so far along the line."""
        along = np.asarray(along_m, dtype=np.float64)
        if self.units is PositionUnits.METRES:
            turn = math.radians(self.heading_deg)
            return self.grid_origin_m[0] + along * math.sin(turn), self.grid_origin_m[1] + along * math.cos(
                turn
            )
        lon, lat, _ = WGS84.fwd(
            np.full(along.shape, START[0]),
            np.full(along.shape, START[1]),
            np.full(along.shape, self.heading_deg),
            along,
        )
        return np.asarray(lon), np.asarray(lat)

    def row_m(self, first: int, last: int) -> Floats:
        """How far along the line the pings are."""
        return np.arange(first, last) * self.spacing_m

    def place(self, block: Block) -> tuple[float, float]:
        """True longitude and latitude of a block's centre."""
        x, y = self.positions(np.array([block.along_m]))
        bearing = self.heading_deg + (90 if block.side is Side.STARBOARD else -90)
        lon, lat, _ = WGS84.fwd(x[0], y[0], bearing, block.ground_m)
        return float(lon), float(lat)

    def slant_extent_m(self, block: Block) -> tuple[float, float, float]:
        """Slant range at which a block's echo begins, at which its shadow begins, and at which that ends."""
        near, far = block.ground_m - block.width_m / 2, block.ground_m + block.width_m / 2
        above = self.altitude_m - block.height_m
        begin = min(math.hypot(near, self.altitude_m), math.hypot(near, above))
        shadow_end_ground = far * self.altitude_m / above
        return begin, math.hypot(far, above), math.hypot(shadow_end_ground, self.altitude_m)

    def _side(self, side: Side, first: int, last: int) -> NDArray[np.generic]:
        """Seabed with speckle, dark water column, bright echoes, black shadows."""
        rng = np.random.default_rng([first, side is Side.PORT])
        slant_m = (np.arange(self.samples) + 0.5) * self.range_m / self.samples
        image = rng.gamma(12.0, 60.0 / 12.0, (last - first, self.samples))
        image[:, slant_m < self.altitude_m] *= 0.02
        along_m = self.row_m(first, last)
        for block in self.blocks_on_bottom:
            if block.side is not side:
                continue
            rows = np.abs(along_m - block.along_m) <= block.length_m / 2
            begin, shadow, end = self.slant_extent_m(block)
            image[np.ix_(rows, (slant_m >= begin) & (slant_m < shadow))] = 230.0
            image[np.ix_(rows, (slant_m >= shadow) & (slant_m < end))] *= 0.03
        top = 255 if self.dtype is np.uint8 else 65_535
        scale = 1 if self.dtype is np.uint8 else 200
        return np.clip(image * scale, 0, top).astype(self.dtype)


def opened_as(*lines: MadeLine) -> object:
    """A stand-in for `open_recording` that finds lines by their names."""
    by_name = {line.source: line for line in lines}

    def open_recording(path: Path, **options: object) -> MadeLine:
        return by_name[path.name]

    return open_recording
