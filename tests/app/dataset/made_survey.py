"""A made survey line with one bright object and its shadow at a known place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from app.sonar.coordinates import offset_position
from app.sonar.recording import ChannelPair, Defect
from app.sonar.waterfall import Navigation, PositionUnits, Side, Waterfall

PINGS, SAMPLES, RANGE_M, ALTITUDE_M, SPACING_M = 1200, 512, 50.0, 6.0, 0.15
LENGTH_M, HEIGHT_M = 3.0, 1.0
START = (10.0, 45.0)


@dataclass(frozen=True, kw_only=True)
class MadeLine:
    """A `Recording` along a straight track; the object is seen at `target_ping`."""

    side: Side = Side.STARBOARD
    ground_m: float = 25.0
    target_ping: int = 600
    course_deg: float = 40.0
    range_m: float = RANGE_M
    units: PositionUnits | None = PositionUnits.DEGREES
    source: str = "made"
    channel_pairs: tuple[ChannelPair, ...] = (ChannelPair(port=0, starboard=1, frequency_khz=400),)
    defects: tuple[Defect, ...] = ()

    def ping_count(self, pair: int | None = None) -> int:
        return PINGS

    def track(self) -> tuple[np.ndarray, np.ndarray]:
        distances = np.arange(PINGS) * SPACING_M
        return offset_position(
            *(np.full(PINGS, v) for v in START), np.full(PINGS, self.course_deg), distances
        )

    def target_position(self) -> tuple[float, float]:
        longitude, latitude = self.track()
        aside = 90 if self.side is Side.STARBOARD else -90
        at = self.target_ping
        found = offset_position(longitude[at], latitude[at], self.course_deg + aside, self.ground_m)
        return float(found[0]), float(found[1])

    def blocks(self, *, pings: int = 2048, pair: int | None = None) -> Iterator[Waterfall]:
        longitude, latitude = self.track()
        whole = {side: self._side(side) for side in Side}
        for first in range(0, PINGS, pings):
            part = slice(first, first + pings)
            count = len(longitude[part])
            navigation = Navigation(
                time_s=np.arange(count) * 0.1,
                x=longitude[part] if self.units else None,
                y=latitude[part] if self.units else None,
                units=self.units,
                heading_deg=np.full(count, self.course_deg),
                altitude_m=np.full(count, ALTITUDE_M),
            )
            yield Waterfall(
                source=self.source,
                first_ping=first,
                port_PS=whole[Side.PORT][part],
                starboard_PS=whole[Side.STARBOARD][part],
                slant_range_m=np.full(count, self.range_m),
                navigation=navigation,
            )

    def _side(self, side: Side) -> np.ndarray:
        rng = np.random.default_rng([list(Side).index(side), self.target_ping])
        image = rng.uniform(30, 70, (PINGS, SAMPLES))
        slant = (np.arange(SAMPLES) + 0.5) * self.range_m / SAMPLES
        ground = np.sqrt(np.maximum(slant**2 - ALTITUDE_M**2, 0))
        image[:, slant < ALTITUDE_M] *= 0.05
        if side is self.side:
            half = round(LENGTH_M / SPACING_M / 2)
            rows = slice(max(0, self.target_ping - half), self.target_ping + half)
            near, far = self.ground_m - LENGTH_M / 2, self.ground_m + LENGTH_M / 2
            shadow = self.ground_m * HEIGHT_M / (ALTITUDE_M - HEIGHT_M)
            image[rows, (ground >= near) & (ground <= far)] = 250
            image[rows, (ground > far) & (ground <= far + shadow)] *= 0.05
        return np.clip(image, 0, 255).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class RangeSwitched(MadeLine):
    """Recorded at `range_m` up to ping `switch_ping`, and from there on at twice that, with as many samples."""

    switch_ping: int = 700

    def blocks(self, *, pings: int = 2048, pair: int | None = None) -> Iterator[Waterfall]:
        near = MadeLine.blocks(self, pings=pings)
        far = MadeLine.blocks(replace(self, range_m=2 * self.range_m), pings=pings)
        for before, after in zip(near, far, strict=True):
            count = min(max(0, self.switch_ping - before.first_ping), before.pings)
            assert before.port_PS is not None
            assert after.port_PS is not None
            assert before.starboard_PS is not None
            assert after.starboard_PS is not None
            yield replace(
                before,
                port_PS=np.concatenate([before.port_PS[:count], after.port_PS[count:]]),
                starboard_PS=np.concatenate([before.starboard_PS[:count], after.starboard_PS[count:]]),
                slant_range_m=np.concatenate([before.slant_range_m[:count], after.slant_range_m[count:]]),
            )
