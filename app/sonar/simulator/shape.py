"""An object as a small raster of heights, and how it is set down on the seabed.

Shape suffixes: V, U raster rows and columns (U along the object's length); P pings; X ground cells.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.textures import Field

TARGET, SHIP, AIRCRAFT = "target", "ship", "aircraft"
CLASS_NAMES = (TARGET, SHIP, AIRCRAFT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One object, level on the ground, its length along U."""

    label: str | None
    """Class name; None for clutter."""
    relief_VU: Field
    """Height above the bottom in metres; below 0 where the current has scoured."""
    footprint_VU: Field
    """0 to 1: how much of the cell belongs to the object itself."""
    reflectivity_VU: Field
    """Backscattered energy against that of the seabed."""
    cell_m: float
    gloss: float = 0.0
    """Strength of the mirror-like part of the echo."""

    @property
    def height_m(self) -> float:
        """Highest point."""
        return float(self.relief_VU.max())

    @property
    def radius_m(self) -> float:
        """Everything of the raster lies inside this circle."""
        rows, columns = self.relief_VU.shape
        return float(np.hypot(rows, columns)) / 2 * self.cell_m

    def extent_m(self) -> tuple[float, float]:
        """Length and width of the footprint."""
        solid = self.footprint_VU > 0.5
        if not solid.any():
            return 0.0, 0.0
        columns, rows = np.flatnonzero(solid.any(0)), np.flatnonzero(solid.any(1))
        return float(np.ptp(columns) + 1) * self.cell_m, float(np.ptp(rows) + 1) * self.cell_m

    def lowered(self, height_m: float) -> "Shape":
        """The same object, its heights scaled down where it is higher than `height_m`."""
        factor = min(1.0, height_m / max(self.height_m, 1e-6))
        return replace(self, relief_VU=self.relief_VU * np.float32(factor))

    def centre_m(self) -> tuple[float, float]:
        """Middle of the footprint from the raster's middle, along length and width."""
        rows, columns = np.nonzero(self.footprint_VU > 0.5)
        if not len(rows):
            return 0.0, 0.0
        height, width = self.footprint_VU.shape
        u = (float(columns.min()) + float(columns.max())) / 2 - (width - 1) / 2
        v = (float(rows.min()) + float(rows.max())) / 2 - (height - 1) / 2
        return u * self.cell_m, v * self.cell_m

    def buried(self, depth_m: float) -> "Shape":
        """The same object sunk into the bottom by `depth_m`."""
        solid = self.footprint_VU > 0
        sunk = np.where(solid, np.maximum(self.relief_VU - depth_m, 0), self.relief_VU)
        return replace(
            self,
            relief_VU=sunk.astype(np.float32),
            footprint_VU=np.where(sunk > 0.01, self.footprint_VU, 0).astype(np.float32),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A shape on the ground."""

    shape: Shape
    x_m: float
    y_m: float
    angle_rad: float
    """From the x axis to the object's length, towards y."""


@dataclass(slots=True)
class Terrain:
    """The ground as the sonar meets it: (P, X) fields over ground points. Changed in place by `lay`."""

    x_PX: Field
    y_PX: Field
    height_PX: Field
    reflectivity_PX: Field
    """Energy against plain sand."""
    gloss_PX: Field
    owner_PX: NDArray[np.int16]
    """Which placed object a cell belongs to, -1 for the bottom."""


def window(terrain: Terrain, x_m: float, y_m: float, radius_m: float) -> tuple[slice, slice] | None:
    """Rows and columns that hold the circle, or None where it lies outside."""
    step = 8
    near = np.hypot(terrain.x_PX[::step, ::step] - x_m, terrain.y_PX[::step, ::step] - y_m)
    # A cell of the coarse grid stands for its neighbours up to one coarse step away.
    reach = radius_m + _coarse_step_m(terrain, step)
    rows, columns = np.nonzero(near < reach)
    if not len(rows):
        return None
    return (
        slice(max(0, int(rows.min() - 1) * step), int(rows.max() + 2) * step),
        slice(max(0, int(columns.min() - 1) * step), int(columns.max() + 2) * step),
    )


def _coarse_step_m(terrain: Terrain, step: int) -> float:
    dx = abs(float(terrain.x_PX[0, 1] - terrain.x_PX[0, 0])) + abs(
        float(terrain.y_PX[0, 1] - terrain.y_PX[0, 0])
    )
    dy = abs(float(terrain.x_PX[1, 0] - terrain.x_PX[0, 0])) + abs(
        float(terrain.y_PX[1, 0] - terrain.y_PX[0, 0])
    )
    return step * (dx + dy)


def lay(terrain: Terrain, placed: Placed, index: int) -> None:
    """Set an object down: its relief replaces the bottom under it and adds to it around it."""
    shape = placed.shape
    found = window(terrain, placed.x_m, placed.y_m, shape.radius_m)
    if found is None:
        return
    dx, dy = terrain.x_PX[found] - placed.x_m, terrain.y_PX[found] - placed.y_m
    cos, sin = math.cos(placed.angle_rad), math.sin(placed.angle_rad)
    rows, columns = shape.relief_VU.shape
    u = ((dx * cos + dy * sin) / shape.cell_m + (columns - 1) / 2).astype(np.float32)
    v = ((dy * cos - dx * sin) / shape.cell_m + (rows - 1) / 2).astype(np.float32)
    raster = np.dstack((shape.relief_VU, shape.footprint_VU, shape.reflectivity_VU))
    relief, footprint, reflectivity = cv2.split(
        cv2.remap(raster, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 1))
    )
    solid = footprint > 0.4
    height = terrain.height_PX[found]
    bed = float(height[solid].mean()) if solid.any() else 0.0
    terrain.height_PX[found] = height + (bed - height) * footprint + relief
    terrain.reflectivity_PX[found] *= 1 + (reflectivity - 1) * np.maximum(footprint, reflectivity != 1)
    terrain.gloss_PX[found] = np.maximum(terrain.gloss_PX[found], footprint * shape.gloss)
    terrain.owner_PX[found] = np.where(solid & (relief > 0.02), index, terrain.owner_PX[found])
