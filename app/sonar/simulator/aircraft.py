"""Aircraft, label `aircraft`: fuselage, wings, tail and engines, whole or with parts gone."""

import cv2
import numpy as np

from app.sonar.simulator.shape import AIRCRAFT, Shape
from app.sonar.simulator.textures import Field

_TEXELS = 160
"""Raster cells along the longer of length and span."""
_MARGIN = 16


def draw_aircraft(rng: np.random.Generator, length_m: float) -> Shape:
    """An aircraft of random build and state whose fuselage is `length_m` long; 0.5 to 3 m high."""
    span_share = float(rng.uniform(0.8, 1.45))
    cell_m = length_m * max(span_share, 1.0) / _TEXELS
    fuselage = length_m / cell_m
    side = _TEXELS + 2 * _MARGIN
    height_m = float(np.clip(length_m * rng.uniform(0.05, 0.16), 0.5, 3.0))
    relief = _wings(rng, side, fuselage, span_share, height_m)
    relief = np.maximum(relief, _tail(rng, side, fuselage, height_m))
    relief = np.maximum(relief, _body(rng, side, fuselage, height_m))
    relief = _worn(rng, relief, height_m)
    if rng.random() < 0.25:
        relief = _parted(rng, relief)
    relief = np.maximum(relief - height_m * float(rng.uniform(0, 0.35)) * (rng.random() < 0.5), 0)
    relief = cv2.GaussianBlur(relief.astype(np.float32), (3, 3), 0)
    footprint = (relief > 0.04 * height_m).astype(np.float32)
    strength = float(np.exp(rng.uniform(np.log(0.8), np.log(8.0))))
    uneven = np.exp(_noise(rng, side, 4) * float(rng.uniform(0.1, 0.5)))
    return Shape(
        label=AIRCRAFT,
        relief_VU=relief,
        footprint_VU=footprint,
        reflectivity_VU=np.where(footprint > 0, strength * uneven, 1).astype(np.float32),
        cell_m=cell_m,
        gloss=float(rng.uniform(0, 4)),
    )


def _body(rng: np.random.Generator, side: int, fuselage: float, height_m: float) -> Field:
    """A tapering tube along U."""
    slender = float(rng.uniform(0.09, 0.16))
    u = (np.arange(side, dtype=np.float32) - side / 2) / fuselage + 0.5
    u_inside = np.clip(u, 0, 1)
    radius = (
        slender
        / 2
        * np.minimum(1, (u_inside / 0.12) ** 0.5)
        * np.minimum(1, ((1 - u_inside) / 0.6) ** 0.7 + 0.12)
    )
    radius = np.where((u > 0) & (u < 1), radius, 0) * fuselage
    v = np.abs(np.arange(side, dtype=np.float32) - side / 2)[:, None]
    inside = np.clip(1 - (v / np.maximum(radius, 1e-3)[None]) ** 2, 0, 1)
    return np.asarray(
        np.sqrt(inside) * height_m * (radius / (radius.max() + 1e-6))[None] ** 0.5, dtype=np.float32
    )


def _wings(rng: np.random.Generator, side: int, fuselage: float, span_share: float, height_m: float) -> Field:
    """Both wings, either may be gone or short, with engines on them."""
    raster = np.zeros((side, side), np.float32)
    root = float(rng.uniform(0.25, 0.42))
    chord, taper = float(rng.uniform(0.13, 0.3)), float(rng.uniform(0.3, 0.9))
    sweep = float(rng.choice((rng.uniform(-0.03, 0.1), rng.uniform(0.2, 0.45)), p=(0.75, 0.25)))
    engines = int(rng.choice((0, 1, 2), p=(0.45, 0.4, 0.15)))
    thick_m = height_m * float(rng.uniform(0.2, 0.5))
    for sign in (-1, 1):
        share = rng.choice((1.0, rng.uniform(0.2, 0.8), 0.0), p=(0.75, 0.17, 0.08))
        half = span_share / 2 * share
        corners = [
            (root, 0.0),
            (root + sweep * share, half),
            (root + sweep * share + chord * (1 - (1 - taper) * share), half),
            (root + chord, 0.0),
        ]
        points = [(side / 2 + (u - 0.5) * fuselage, side / 2 + sign * v * fuselage) for u, v in corners]
        wing = np.zeros_like(raster)
        cv2.fillPoly(wing, [np.round(points).astype(np.int32)], float(thick_m))
        if rng.random() < 0.5:
            rise = np.abs(np.arange(side, dtype=np.float32) - side / 2)[:, None] / side
            wing += (wing > 0) * rise * height_m * float(rng.uniform(0, 0.8))
        raster = np.maximum(raster, wing)
        for number in range(engines):
            v = span_share / 2 * (0.3 + 0.3 * number)
            if v > half:
                continue
            u = root + sweep * v / (span_share / 2) - 0.03
            centre = (round(side / 2 + (u - 0.5) * fuselage), round(side / 2 + sign * v * fuselage))
            axes = (round(0.08 * fuselage), max(1, round(0.03 * fuselage)))
            cv2.ellipse(raster, centre, axes, 0, 0, 360, float(height_m * rng.uniform(0.5, 0.9)), -1)
    return raster


def _tail(rng: np.random.Generator, side: int, fuselage: float, height_m: float) -> Field:
    """Tailplane and fin; now and then missing."""
    raster = np.zeros((side, side), np.float32)
    half, chord = float(rng.uniform(0.14, 0.22)), float(rng.uniform(0.07, 0.13))
    if rng.random() < 0.85:
        corners = [(0.86, 0.0), (0.9, half), (0.9 + chord * 0.7, half), (0.86 + chord, 0.0)]
        for sign in (-1, 1):
            points = [(side / 2 + (u - 0.5) * fuselage, side / 2 + sign * v * fuselage) for u, v in corners]
            cv2.fillPoly(raster, [np.round(points).astype(np.int32)], float(height_m * 0.5))
    if rng.random() < 0.6:
        ends = [round(side / 2 + (u - 0.5) * fuselage) for u in (0.86, 0.97)]
        cv2.line(raster, (ends[0], side // 2), (ends[1], side // 2), float(height_m * rng.uniform(1, 1.8)), 2)
    return raster


def _worn(rng: np.random.Generator, relief: Field, height_m: float) -> Field:
    """Holes and dents."""
    side = len(relief)
    wear = float(rng.uniform(0, 1))
    relief = relief * (1 + 0.3 * wear * _noise(rng, side, 6))
    relief += (relief > 0) * _noise(rng, side, 3) * height_m * 0.04
    holes = _noise(rng, side, 12) > 2.4 - 1.2 * wear
    return np.asarray(np.maximum(np.where(holes, relief * 0.2, relief), 0), dtype=np.float32)


def _parted(rng: np.random.Generator, relief: Field) -> Field:
    """The tail broken off, turned and moved."""
    side = len(relief)
    cut = int(side * rng.uniform(0.55, 0.8))
    fore, after = relief.copy(), relief.copy()
    fore[:, cut:] = 0
    after[:, :cut] = 0
    turn = cv2.getRotationMatrix2D((float(cut), side / 2), float(rng.normal(0, 25)), 1.0)
    turn[:, 2] += (rng.uniform(0, 8), rng.normal(0, 4))
    return np.asarray(np.maximum(fore, cv2.warpAffine(after, turn, (side, side))), dtype=np.float32)


def _noise(rng: np.random.Generator, side: int, texels: int) -> Field:
    small = rng.standard_normal((side // texels + 2, side // texels + 2)).astype(np.float32)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
