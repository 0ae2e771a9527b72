"""Small man-made objects, label `target`: spheres, cylinders, truncated cones, jointed bodies and dummies."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.shape import TARGET, Shape
from app.sonar.simulator.textures import Field

_TEXELS = 48
"""Raster cells along the longest side of a small object."""


def sphere(diameter_m: float) -> Shape:
    """A ball that lies on the bottom."""
    cell_m, x, y = _grid(diameter_m, diameter_m)
    inside = 1 - (x * x + y * y) / (diameter_m / 2) ** 2
    relief = np.where(inside > 0, diameter_m / 2 * (1 + np.sqrt(np.maximum(inside, 0))), 0)
    return _shape(relief, cell_m, gloss=4.0)


def cylinder(length_m: float, diameter_m: float) -> Shape:
    """A cylinder that lies on its side."""
    cell_m, x, y = _grid(length_m, diameter_m)
    inside = (1 - (y / (diameter_m / 2)) ** 2) * (np.abs(x) <= length_m / 2)
    relief = np.where(inside > 0, diameter_m / 2 * (1 + np.sqrt(np.maximum(inside, 0))), 0)
    return _shape(relief, cell_m, gloss=5.0)


def truncated_cone(base_m: float, top_m: float, height_m: float) -> Shape:
    """A cone without its tip, wide side down."""
    cell_m, x, y = _grid(base_m, base_m)
    radius = np.hypot(x, y)
    slope = np.clip((base_m / 2 - radius) / max(base_m / 2 - top_m / 2, cell_m), 0, 1)
    return _shape(slope * height_m, cell_m, gloss=3.0)


def box(length_m: float, width_m: float, height_m: float, *, hollow: bool) -> Shape:
    """A crate, or, hollow, a frame such as a trap."""
    cell_m, x, y = _grid(length_m, width_m)
    inside = (np.abs(x) <= length_m / 2) & (np.abs(y) <= width_m / 2)
    relief = inside * height_m
    if hollow:
        wall_m = max(0.12 * width_m, 1.5 * cell_m)
        hole = (np.abs(x) <= length_m / 2 - wall_m) & (np.abs(y) <= width_m / 2 - wall_m)
        relief = np.where(hole, 0.15 * height_m, relief)
    return _shape(relief, cell_m, gloss=2.0)


def jointed(rng: np.random.Generator, length_m: float) -> Shape:
    """A body with limbs: two to five rods that meet at an angle, as of a dummy, an anchor or a frame."""
    raster = np.zeros((2 * _TEXELS, 2 * _TEXELS), np.float32)
    cell_m = length_m / (1.4 * _TEXELS)
    joint = np.array([_TEXELS, _TEXELS], float)
    thick_m = length_m * float(rng.uniform(0.08, 0.22))
    for _ in range(int(rng.integers(2, 6))):
        angle = rng.uniform(0, 2 * np.pi)
        reach = rng.uniform(0.3, 0.8) * 0.7 * _TEXELS
        end = joint + reach * np.array([np.cos(angle), np.sin(angle)])
        rod = np.zeros_like(raster)
        width = max(1, round(thick_m * float(rng.uniform(0.5, 1.2)) / cell_m))
        cv2.line(rod, _point(joint), _point(end), float(thick_m * rng.uniform(0.6, 1.6)), width)
        raster = np.maximum(raster, rod)
        if rng.random() < 0.5:
            joint = end
    relief = cv2.GaussianBlur(raster, (3, 3), 0)
    return _shape(relief, cell_m, gloss=2.0)


def dummy(rng: np.random.Generator, length_m: float) -> Shape:
    """A dummy of human build, lying: trunk, head, and limbs bent at random; some limbs hardly echo.

    Proportions are those of a body: trunk a third of the length and a sixth wide, legs a half, arms a third.
    """
    side = 3 * _TEXELS
    cell_m = length_m / (1.5 * _TEXELS)
    reach = length_m / cell_m
    relief, echo = np.zeros((side, side), np.float32), np.ones((side, side), np.float32)
    hip = np.array([side / 2 - 0.1 * reach, side / 2])
    shoulder = hip + np.array([0.32 * reach, 0.0])
    thick_m = length_m * float(rng.uniform(0.09, 0.15))
    parts = [(hip, shoulder, 0.17, 1.0), (shoulder, shoulder + np.array([0.14 * reach, 0.0]), 0.09, 0.9)]
    for start, backwards, long, width in ((hip, True, 0.5, 0.08), (shoulder, rng.random() < 0.6, 0.36, 0.06)):
        for sign in (-1.0, 1.0):
            angle = (np.pi if backwards else 0.0) + sign * float(rng.uniform(0, 1.2)) * (
                -1 if backwards else 1
            )
            for _ in range(2):
                end = start + 0.5 * long * reach * np.array([np.cos(angle), np.sin(angle)])
                parts.append((start, end, width, float(rng.uniform(0.4, 1.0))))
                start, angle = end, angle + float(rng.normal(0, 0.6))
            start = hip if long == 0.5 else shoulder
    for begin, end, width, height in parts:
        rod = np.zeros_like(relief)
        cv2.line(rod, _point(begin), _point(end), 1.0, max(1, round(width * reach)))
        relief = np.maximum(relief, rod * np.float32(thick_m * height))
        strength = np.float32(np.exp(rng.normal(0, 0.8)))
        echo = np.where(rod > 0, np.maximum(echo * (echo != 1), strength), echo)
    shape = _shape(cv2.GaussianBlur(relief, (5, 5), 0), cell_m, gloss=2.0)
    return replace(shape, reflectivity_VU=np.where(relief > 0, 3 * echo, 1).astype(np.float32))


def draw_target(
    rng: np.random.Generator, longest_m: tuple[float, float] = (0.4, 2.5), *, dummies: float = 0.1
) -> Shape:
    """A small target of random kind and size, sometimes partly buried, never wholly; `dummies` is their share."""
    size_m = float(rng.uniform(*longest_m))
    others = (1 - dummies) * np.array((0.15, 0.3, 0.2, 0.1, 0.25))
    kind = rng.choice(6, p=(*others, dummies))
    if kind == 0:
        shape = sphere(float(np.clip(size_m * 0.6, 0.4, 1.2)))
    elif kind == 1:
        shape = cylinder(size_m, max(0.25, size_m * float(rng.uniform(0.18, 0.4))))
    elif kind == 2:
        base_m = float(np.clip(size_m * 0.7, 0.4, 1.3))
        shape = truncated_cone(
            base_m, base_m * float(rng.uniform(0.3, 0.7)), base_m * float(rng.uniform(0.35, 0.7))
        )
    elif kind == 3:
        width_m = size_m * float(rng.uniform(0.4, 1.0))
        height_m = max(0.2, size_m * float(rng.uniform(0.2, 0.5)))
        shape = box(size_m, width_m, height_m, hollow=bool(rng.random() < 0.5))
    elif kind == 4:
        shape = jointed(rng, max(size_m, 0.8))
    else:
        shape = dummy(rng, float(np.clip(size_m, 1.2, 2.0)))
    shape = _glinting(rng, shape)
    if rng.random() < 0.3:
        shape = shape.buried(shape.height_m * float(rng.uniform(0.05, 0.5)))
    return shape


def _glinting(rng: np.random.Generator, shape: Shape) -> Shape:
    """The same shape with a random strength of echo that varies over its surface."""
    strength = float(np.exp(rng.uniform(np.log(1.5), np.log(14.0))))
    # A few facets that face the sonar outshine the rest: spots of two to eight texels.
    rows, columns = shape.relief_VU.shape
    texels = int(rng.integers(2, 9))
    facets = rng.standard_normal((rows // texels + 2, columns // texels + 2)).astype(np.float32)
    facets = cv2.resize(facets, (columns, rows), interpolation=cv2.INTER_CUBIC)
    spots = np.exp(facets * np.float32(rng.uniform(0.3, 1.6)))
    own = shape.reflectivity_VU / np.median(shape.reflectivity_VU[shape.footprint_VU > 0])
    reflectivity = np.where(shape.footprint_VU > 0, strength * spots * own, 1).astype(np.float32)
    return Shape(
        label=shape.label,
        relief_VU=shape.relief_VU,
        footprint_VU=shape.footprint_VU,
        reflectivity_VU=reflectivity,
        cell_m=shape.cell_m,
        gloss=shape.gloss * float(rng.uniform(0, 1.5)),
    )


def _grid(length_m: float, width_m: float) -> tuple[float, Field, Field]:
    cell_m = max(length_m, width_m) / _TEXELS
    columns = int(np.ceil(length_m / cell_m)) + 6
    rows = int(np.ceil(width_m / cell_m)) + 6
    x = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2) * cell_m
    y = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2) * cell_m
    return cell_m, np.broadcast_to(x, (rows, columns)), np.broadcast_to(y[:, None], (rows, columns))


def _shape(heights_m: NDArray[np.floating], cell_m: float, *, gloss: float) -> Shape:
    relief = heights_m.astype(np.float32)
    return Shape(
        label=TARGET,
        relief_VU=relief,
        footprint_VU=(relief > 0).astype(np.float32),
        reflectivity_VU=np.where(relief > 0, 3.0, 1.0).astype(np.float32),
        cell_m=cell_m,
        gloss=gloss,
    )


def _point(place: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))
