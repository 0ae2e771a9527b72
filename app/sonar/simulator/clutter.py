"""What lies on the bottom and is no target: rocks, groups of them, trawl marks, pipelines, cables, pits."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from app.sonar.simulator.shape import Placed, Shape, Terrain, lay
from app.sonar.simulator.textures import Field


class Clutter(Protocol):
    """Anything unlabelled that can be laid on a terrain."""

    def lay(self, terrain: Terrain) -> None:
        """Change heights and reflectivity in place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """A long, slightly bent band: pipeline or cable (raised), trawl or anchor mark (furrow with banks)."""

    x_m: float
    y_m: float
    angle_rad: float
    bend_per_m: float
    width_m: float
    height_m: float
    """Below 0 for a furrow."""
    twin_m: float = 0.0
    """Distance of a second, equal band; 0 for none."""
    reflectivity: float = 1.0

    def lay(self, terrain: Terrain) -> None:
        """Raise or dig the band."""
        dx, dy = terrain.x_PX - self.x_m, terrain.y_PX - self.y_m
        cos, sin = np.float32(np.cos(self.angle_rad)), np.float32(np.sin(self.angle_rad))
        along = dx * cos + dy * sin
        offset = dy * cos - dx * sin + along * along * np.float32(self.bend_per_m)
        for centre in (0.0, self.twin_m) if self.twin_m else (0.0,):
            share = (offset - centre) / self.width_m
            inside = np.maximum(1 - share * share, 0)
            terrain.height_PX += np.sqrt(inside) * self.height_m
            if self.height_m < 0:
                bank = np.maximum(1 - np.square((np.abs(share) - 1.4) / 0.4), 0)
                terrain.height_PX -= bank * (self.height_m * 0.4)
            if self.reflectivity != 1:
                terrain.reflectivity_PX *= 1 + (inside > 0) * np.float32(self.reflectivity - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stone:
    """A single rock, or, below 0 high, a pit."""

    placed: Placed

    def lay(self, terrain: Terrain) -> None:
        """Set it down without an owner."""
        lay(terrain, self.placed, -1)


def rock(rng: np.random.Generator, size_m: float) -> Shape:
    """An irregular boulder."""
    texels = 20
    grid = np.linspace(-1.15, 1.15, texels + 4, dtype=np.float32)
    angle = np.arctan2(grid[:, None], grid[None])
    edge = 1 + 0.0 * angle
    for order in range(2, 6):
        edge += rng.normal(0, 0.25 / order) * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    stretch = float(rng.uniform(0.5, 1.0))
    radius = np.hypot(grid[None], grid[:, None] / stretch) / np.clip(edge, 0.5, 1.3)
    dome = np.sqrt(np.maximum(1 - radius**2, 0))
    facets = cv2.resize(
        rng.standard_normal((5, 5)).astype(np.float32), dome.shape, interpolation=cv2.INTER_CUBIC
    )
    relief = np.maximum(dome * (1 + 0.3 * facets), 0) * size_m * float(rng.uniform(0.15, 0.55))
    return _unlabelled(relief, size_m / texels, float(np.exp(rng.uniform(-0.3, 1.2))))


def pit(rng: np.random.Generator, size_m: float) -> Shape:
    """A hollow: pockmark, crater, resting place."""
    grid = np.linspace(-1, 1, 24, dtype=np.float32)
    inside = np.maximum(1 - (grid[None] ** 2 + (grid[:, None] * rng.uniform(1, 2)) ** 2), 0)
    return _unlabelled(-inside * size_m * float(rng.uniform(0.05, 0.25)), size_m / 24, 1.0)


def draw_track(rng: np.random.Generator, x_m: float, y_m: float) -> Track:
    """Pipeline, cable, chain, furrow or trawl marks through a point."""
    angle, bend = float(rng.uniform(0, np.pi)), float(rng.normal(0, 0.0025))
    kind = rng.integers(0, 4)
    if kind == 0:
        radius_m = float(rng.uniform(0.15, 0.6))
        return Track(
            x_m=x_m, y_m=y_m, angle_rad=angle, bend_per_m=bend / 3, width_m=radius_m,
            height_m=radius_m * float(rng.uniform(0.5, 2)), reflectivity=float(rng.uniform(1.2, 4)),
        )  # fmt: skip
    if kind == 1:
        return Track(
            x_m=x_m, y_m=y_m, angle_rad=angle, bend_per_m=bend * 3, width_m=float(rng.uniform(0.05, 0.15)),
            height_m=float(rng.uniform(0.05, 0.15)), reflectivity=float(rng.uniform(1.5, 5)),
        )  # fmt: skip
    return Track(
        x_m=x_m, y_m=y_m, angle_rad=angle, bend_per_m=bend, width_m=float(rng.uniform(0.15, 1.2)),
        height_m=-float(rng.uniform(0.04, 0.35)), twin_m=float(rng.uniform(1.5, 12)) if kind == 2 else 0.0,
        reflectivity=float(rng.uniform(0.6, 1.2)),
    )  # fmt: skip


def draw_stones(
    rng: np.random.Generator, x_m: tuple[float, float], y_m: tuple[float, float], count: int, size_m: float
) -> list[Stone]:
    """Rocks in a rectangle, scattered or in a heap, many small and few large."""
    heap = rng.random() < 0.4
    centre, spread = (rng.uniform(*x_m), rng.uniform(*y_m)), 0.12 * (x_m[1] - x_m[0])
    stones = []
    for _ in range(count):
        this_m = size_m * float(np.clip(0.4 * rng.pareto(2.0) + 0.3, 0.3, 3.0))
        shape = pit(rng, this_m * 2) if rng.random() < 0.08 else rock(rng, this_m)
        x, y = rng.normal(centre, spread) if heap else (rng.uniform(*x_m), rng.uniform(*y_m))
        placed = Placed(shape=shape, x_m=float(x), y_m=float(y), angle_rad=float(rng.uniform(0, 2 * np.pi)))
        stones.append(Stone(placed=placed))
    return stones


def _unlabelled(relief: Field, cell_m: float, reflectivity: float) -> Shape:
    solid = relief != 0
    return Shape(
        label=None,
        relief_VU=relief.astype(np.float32),
        footprint_VU=(0.7 * solid).astype(np.float32),
        reflectivity_VU=np.where(solid, reflectivity, 1).astype(np.float32),
        cell_m=cell_m,
    )
