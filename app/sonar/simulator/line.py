"""A whole survey line in raw slant range, made in blocks of pings so that memory stays bounded.

Shape suffixes: P pings, S samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from app.errors import SettingsError
from app.sonar.simulator.beam import ground_ranges_m, look
from app.sonar.simulator.degrade import drop_pings, fish, row_gain, smooth, speckle
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.raytrace import collect, flat_echo
from app.sonar.simulator.scene import Scene, draw_scene
from app.sonar.simulator.textures import Field
from app.sonar.simulator.track import Track, sail, to_degrees
from app.sonar.simulator.truth import Truth, find_truth
from app.sonar.waterfall import Navigation, PositionUnits, Side, Waterfall

BLOCK_PINGS = 256
_MARGIN_PINGS = 16
"""Pings added at either end of a block, so that slopes and the beam's width are right at its edges."""
_FLAT_PINGS = 8
"""Pings that share one reference echo: the altitude hardly changes meanwhile."""
_LEVEL = 70.0
"""Grey value of 255 that a perfect gain would give the bottom."""
_BEAM_RAD = float(np.deg2rad(0.45))


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedLine:
    """One line and what it really passed."""

    waterfall: Waterfall
    truth: tuple[Truth, ...]


def simulate_line(plan: SurveyPlan, line: int) -> SimulatedLine:
    """The whole line in memory, uint8 or uint16 by the plan.

    Raises: SettingsError for a line that the plan does not have.
    """
    scene = draw_scene(plan)
    blocks = list(line_blocks(plan, line, scene))
    whole = replace(
        blocks[0],
        port_PS=np.concatenate([block.port_PS for block in blocks if block.port_PS is not None]),
        starboard_PS=np.concatenate([b.starboard_PS for b in blocks if b.starboard_PS is not None]),
        slant_range_m=np.full(plan.pings, plan.range_m),
        navigation=_navigation(plan, sail(plan, line)),
    )
    return SimulatedLine(waterfall=whole, truth=line_truth(plan, line, scene))


def line_truth(plan: SurveyPlan, line: int, scene: Scene) -> tuple[Truth, ...]:
    """What the line passes."""
    return find_truth(plan, scene, sail(plan, line), plan.line_name(line))


def line_blocks(plan: SurveyPlan, line: int, scene: Scene) -> Iterator[Waterfall]:
    """The line as consecutive waterfalls of `BLOCK_PINGS` pings.

    Raises: SettingsError for a line that the plan does not have.
    """
    if not 0 <= line < plan.lines:
        raise SettingsError(f"line {line} is not in the plan, which has lines 0 to {plan.lines - 1}")
    track = sail(plan, line)
    rng = np.random.default_rng((plan.seed, line, 2))
    ping_gain = row_gain(rng, plan.pings, strength=0.04)
    for first in range(0, plan.pings, BLOCK_PINGS):
        rows = slice(first, min(first + BLOCK_PINGS, plan.pings))
        sides = {side: _side(plan, line, scene, track, side, rows, ping_gain) for side in Side}
        yield Waterfall(
            source=plan.line_name(line),
            first_ping=first,
            port_PS=sides[Side.PORT],
            starboard_PS=sides[Side.STARBOARD],
            slant_range_m=np.full(rows.stop - rows.start, plan.range_m),
            navigation=_navigation(plan, track.part(rows)),
            frequency_khz=plan.frequency_khz,
        )


def _side(
    plan: SurveyPlan, line: int, scene: Scene, track: Track, side: Side, rows: slice, ping_gain: Field
) -> NDArray[np.unsignedinteger]:
    """Raw intensities of one side for some pings, (P, S)."""
    rng = np.random.default_rng((plan.seed, line, 3, list(Side).index(side), rows.start))
    wide = slice(max(0, rows.start - _MARGIN_PINGS), min(plan.pings, rows.stop + _MARGIN_PINGS))
    part = track.part(wide)
    _, echo = look(plan, scene, part, side)
    energy = collect(echo, first_m=0.0, sample_m=plan.sample_m, samples=plan.samples)
    ratio = _along_beam(plan, energy / _reference(plan, part))
    ratio = ratio[rows.start - wide.start :][: rows.stop - rows.start]
    # Receivers saturate long before the brightest glint.
    ratio = np.asarray(ratio / (1 + ratio / np.float32(30)), dtype=np.float32)
    ratio = ratio * speckle(rng, ratio.shape, looks=1, sigma_px=(0.0, 0.35))
    ratio = ratio + _water(rng, plan, track.part(rows))
    image = np.sqrt(ratio) * _gain(plan) * ping_gain[rows]
    if rng.random() < 0.1:
        fish(rng, image, int(rng.integers(5, 30)), 2.0)
    drop_pings(rng, image, rate=plan.dropouts)
    return _digitised(plan, image)


def _reference(plan: SurveyPlan, track: Track) -> Field:
    """Energy of a level bottom per ping and sample: what the sonar's gain is set to take out."""
    pings = len(track.altitude_m)
    groups = np.arange(pings) // _FLAT_PINGS
    altitude = np.bincount(groups, weights=track.altitude_m) / np.bincount(groups)
    flat = flat_echo(range_X=ground_ranges_m(plan), altitude_P=altitude.astype(np.float32))
    energy = collect(flat, first_m=0.0, sample_m=plan.sample_m, samples=plan.samples)
    # Where nothing can arrive the first real value stands: noise there is not raised to a bottom.
    first = (energy > 0).argmax(1)
    start = energy[np.arange(len(energy)), first]
    energy = np.where(np.arange(plan.samples) < first[:, None], start[:, None], energy)
    energy = np.maximum(energy, 1e-3 * start[:, None])
    return np.asarray(energy[groups], dtype=np.float32)


def _along_beam(plan: SurveyPlan, ratio: Field) -> Field:
    """Spread echoes over pings as the beam widens with range: a blend of a narrow and a wide blur."""
    widest_px = min(_BEAM_RAD * plan.range_m / plan.ping_spacing_m / 2.35, _MARGIN_PINGS / 2.5)
    share = np.linspace(0, 1, plan.samples, dtype=np.float32)
    wide = smooth(ratio, (widest_px, 0.0))
    return np.asarray(ratio + (wide - ratio) * share, dtype=np.float32)


def _water(rng: np.random.Generator, plan: SurveyPlan, track: Track) -> Field:
    """Noise everywhere, the outgoing pulse, the surface return and the bottom's second return."""
    slant = (np.arange(plan.samples, dtype=np.float32) + 0.5) * plan.sample_m
    level = np.float32(0.008) * np.exp(1.2 * slant / plan.range_m)[None]
    level = level + np.exp(-np.square(slant / (3 * plan.sample_m)))[None] * 4
    for range_P, strength in (
        (np.full(len(track.altitude_m), plan.depth_m), 0.25),
        (2 * track.altitude_m, 0.12),
    ):
        width_m = 0.01 * plan.range_m
        level = level + strength * np.exp(-np.square((slant[None] - range_P[:, None]) / width_m))
    shape = (len(track.altitude_m), plan.samples)
    return np.asarray(level * rng.standard_exponential(shape, dtype=np.float32), dtype=np.float32)


def _gain(plan: SurveyPlan) -> Field:
    """What the sonar's own gain gets wrong over the range, the vertical beam pattern included, (S,)."""
    rng = np.random.default_rng((plan.seed, 4))
    share = np.linspace(0, 1, plan.samples, dtype=np.float32)
    slope, hump = float(rng.normal(-0.5, 0.35)), float(rng.normal(0, 0.3))
    angle = np.arctan2(plan.altitude_m, np.maximum(share * plan.range_m, 0.1))
    lobes = 1 + 0.15 * np.cos(float(rng.uniform(6, 12)) * angle)
    curve = np.exp(slope * (share - 0.5) + hump * np.sin(np.pi * share)) * lobes
    return np.asarray(curve, dtype=np.float32)


def _digitised(plan: SurveyPlan, image: Field) -> NDArray[np.unsignedinteger]:
    if plan.bytes_per_sample == 1:
        return np.asarray(np.clip(image * _LEVEL, 0, 255), dtype=np.uint8)
    # 16-bit recorders leave more room above the bottom.
    return np.asarray(np.clip(image * _LEVEL * 64, 0, 65535), dtype=np.uint16)


def _navigation(plan: SurveyPlan, track: Track) -> Navigation:
    """What the towfish's sensors write down: here without error."""
    x, y = to_degrees(plan, track.east_m, track.north_m)
    if plan.crs is not None:
        x, y = Transformer.from_crs("EPSG:4326", plan.crs, always_xy=True).transform(x, y)
    return Navigation(
        time_s=track.time_s,
        x=np.asarray(x),
        y=np.asarray(y),
        units=PositionUnits.DEGREES if plan.crs is None else PositionUnits.METRES,
        heading_deg=np.rad2deg(track.heading_rad),
        altitude_m=track.altitude_m,
        speed_mps=np.full(len(track.time_s), plan.speed_mps),
        pitch_deg=track.pitch_deg,
        roll_deg=track.roll_deg,
    )
