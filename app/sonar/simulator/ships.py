"""Wrecks, label `ship`: hulls whole, open, broken, overturned or flattened, as irregular height maps."""

import cv2
import numpy as np

from app.sonar.simulator.shape import SHIP, Shape
from app.sonar.simulator.textures import Field

_TEXELS = 240
"""Raster cells along a hull."""
_MARGIN = 40
"""Raster cells around it for scour and debris."""


def draw_ship(rng: np.random.Generator, length_m: float) -> Shape:
    """A wreck of random build and state, `length_m` long; 0.5 to about 8 m high."""
    beam_share = float(rng.uniform(0.13, 0.32))
    columns = _TEXELS + 2 * _MARGIN
    rows = int(_TEXELS * beam_share) + 2 * _MARGIN
    cell_m = length_m / _TEXELS
    depth_m = min(length_m * beam_share * float(rng.uniform(0.15, 0.6)), 7.0)
    hull = _outline(rng, rows, columns, beam_share)
    state = rng.choice(5, p=(0.28, 0.32, 0.15, 0.12, 0.13))
    if state == 0:
        relief = _decked(rng, hull, depth_m)
    elif state == 1:
        relief = _open(rng, hull, depth_m)
    elif state == 2:
        relief = _overturned(hull, depth_m)
    elif state == 3:
        relief = _flattened(rng, hull, min(depth_m, 1.5))
    else:
        relief = _barge(rng, hull, depth_m)
    relief = _heeled(rng, relief, hull, depth_m)
    relief = _decayed(rng, relief, hull, depth_m)
    if rng.random() < 0.3:
        relief = _broken(rng, relief)
    if rng.random() < 0.35:
        relief = np.maximum(relief - rng.uniform(0.1, 0.6) * depth_m, 0)
    relief = cv2.GaussianBlur(relief.astype(np.float32), (3, 3), 0)
    footprint = (relief > 0.05 * depth_m).astype(np.float32)
    relief = relief + _surroundings(rng, footprint, depth_m)
    return Shape(
        label=SHIP,
        relief_VU=relief.astype(np.float32),
        footprint_VU=footprint,
        reflectivity_VU=_reflectivity(rng, footprint),
        cell_m=cell_m,
        gloss=float(rng.uniform(0, 3)),
    )


def _outline(rng: np.random.Generator, rows: int, columns: int, beam_share: float) -> Field:
    """Hull seen from above: pointed bow, rounder or square stern. 0 or 1."""
    t = np.linspace(0, 1, 40)
    bow, stern = float(rng.uniform(0.4, 1.0)), float(rng.uniform(0.15, 0.8))
    entry, run = float(rng.uniform(0.12, 0.35)), float(rng.uniform(0.05, 0.2))
    half = np.minimum(1, (t / entry) ** bow) * np.minimum(1, ((1 - t) / run + 0.05) ** stern)
    if rng.random() < 0.15:
        half = np.sin(np.pi * t) ** float(rng.uniform(0.4, 0.8))
    x = _MARGIN + t * (_TEXELS - 1)
    y = half * beam_share * _TEXELS / 2
    middle = rows / 2
    edge = np.concatenate((np.column_stack((x, middle + y)), np.column_stack((x, middle - y))[::-1]))
    hull = np.zeros((rows, columns), np.uint8)
    cv2.fillPoly(hull, [np.round(edge).astype(np.int32)], 1)
    return hull.astype(np.float32)


def _inner(hull: Field, texels: int) -> Field:
    kernel = np.ones((2 * texels + 1, 2 * texels + 1), np.uint8)
    return np.asarray(cv2.erode(hull, kernel), dtype=np.float32)


def _rim(hull: Field, texels: int) -> Field:
    return np.asarray(hull - _inner(hull, texels), dtype=np.float32)


def _decked(rng: np.random.Generator, hull: Field, depth_m: float) -> Field:
    """Deck with bulwark, open holds, deckhouses, masts."""
    relief = hull * depth_m * float(rng.uniform(0.6, 0.9))
    relief += _rim(hull, int(rng.integers(1, 3))) * depth_m * float(rng.uniform(0.05, 0.3))
    rows, columns = hull.shape
    for _ in range(int(rng.integers(0, 6))):
        patch = _rectangle(rng, hull.shape, (8, 40), (0.3, 0.75))
        relief = np.where((patch > 0) & (hull > 0), depth_m * rng.uniform(0.05, 0.4), relief)
    for _ in range(int(rng.integers(0, 4))):
        house = _rectangle(rng, hull.shape, (6, 45), (0.3, 0.9))
        relief += house * hull * depth_m * float(rng.uniform(0.15, 0.6))
    for _ in range(int(rng.integers(0, 4))):
        cv2.circle(
            relief,
            (int(rng.integers(_MARGIN + 20, columns - _MARGIN - 20)), rows // 2),
            int(rng.integers(1, 4)),
            float(depth_m * rng.uniform(1.1, 1.7)),
            -1,
        )
    return relief


def _open(rng: np.random.Generator, hull: Field, depth_m: float) -> Field:
    """Standing sides, low inside with frames, keelson and cargo."""
    side = int(rng.integers(2, 5))
    inside, rim = float(rng.uniform(0.15, 0.65)), float(rng.uniform(0.1, 0.5))
    relief = hull * depth_m * inside + _rim(hull, side) * depth_m * rim
    spacing = int(rng.integers(5, 16))
    frames = np.zeros_like(hull)
    frames[:, :: max(spacing, 3)] = 1
    if rng.random() < 0.7:
        frames = np.maximum(frames, np.roll(frames, 1, 1))
        relief += frames * hull * depth_m * float(rng.uniform(0.05, 0.35))
    middle = hull.shape[0] // 2
    if rng.random() < 0.5:
        relief[middle - 1 : middle + 2] += (
            hull[middle - 1 : middle + 2] * depth_m * float(rng.uniform(0.1, 0.4))
        )
    for _ in range(int(rng.integers(0, 7))):
        cargo = _rectangle(rng, hull.shape, (4, 26), (0.1, 0.6))
        relief += cargo * _inner(hull, side) * depth_m * float(rng.uniform(0.1, 0.7))
    return relief


def _overturned(hull: Field, depth_m: float) -> Field:
    """Keel up: a rounded back."""
    distance = cv2.distanceTransform((hull > 0).astype(np.uint8), cv2.DIST_L2, 3)
    share = distance / max(float(distance.max()), 1.0)
    return np.asarray(depth_m * np.sqrt(np.clip(1 - (1 - share) ** 2, 0, 1)) * (hull > 0), dtype=np.float32)


def _flattened(rng: np.random.Generator, hull: Field, depth_m: float) -> Field:
    """Little more than frames, plates and machinery on the bottom."""
    relief = _noise(rng, hull.shape, 6) * hull * depth_m * 0.6
    relief += _rim(hull, 2) * depth_m * 0.5
    for _ in range(int(rng.integers(1, 4))):
        engine = _rectangle(rng, hull.shape, (8, 24), (0.15, 0.5))
        relief += engine * hull * depth_m * float(rng.uniform(0.6, 1.6))
    return np.asarray(np.maximum(relief, 0), dtype=np.float32)


def _barge(rng: np.random.Generator, hull: Field, depth_m: float) -> Field:
    """A box with raised edges and cross walls."""
    rows, columns = np.nonzero(hull)
    box = np.zeros_like(hull)
    box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 1
    hull[:] = box
    relief = box * depth_m * float(rng.uniform(0.1, 0.8)) + _rim(box, int(rng.integers(2, 5))) * depth_m * 0.4
    for column in rng.integers(columns.min(), columns.max(), int(rng.integers(0, 5))):
        relief[:, column : column + 3] += box[:, column : column + 3] * depth_m * 0.35
    return relief


def _heeled(rng: np.random.Generator, relief: Field, hull: Field, depth_m: float) -> Field:
    """Lean to one side and trim by one end."""
    rows, columns = relief.shape
    across = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    along = np.linspace(-1, 1, columns, dtype=np.float32)[None]
    lean = rng.normal(0, 0.35) * across + rng.normal(0, 0.25) * along
    return np.asarray(np.maximum(relief + hull * lean * depth_m * (relief > 0), 0), dtype=np.float32)


def _decayed(rng: np.random.Generator, relief: Field, hull: Field, depth_m: float) -> Field:
    """Uneven remains: holes where plating has gone, lumps where it lies."""
    decay = float(rng.uniform(0, 1))
    rough = _noise(rng, relief.shape, int(rng.integers(4, 14)))
    relief = relief * (1 + 0.35 * decay * rough)
    # Fittings and rubble: what makes a wreck glitter between its large forms.
    relief += _noise(rng, relief.shape, 3) * hull * depth_m * 0.1 * decay
    relief += (_noise(rng, relief.shape, 2) > 1.6) * hull * depth_m * float(rng.uniform(0, 0.35))
    holes = _noise(rng, relief.shape, int(rng.integers(10, 30))) > 2.2 - 1.5 * decay
    return np.asarray(np.maximum(np.where(holes, relief * rng.uniform(0, 0.6), relief), 0), dtype=np.float32)


def _broken(rng: np.random.Generator, relief: Field) -> Field:
    """Parted hull: the after part lies turned and moved, with a gap."""
    rows, columns = relief.shape
    cut = int(columns * rng.uniform(0.35, 0.65))
    fore, after = relief.copy(), relief.copy()
    fore[:, cut:] = 0
    after[:, :cut] = 0
    turn = cv2.getRotationMatrix2D((float(cut), rows / 2), float(rng.normal(0, 14)), 1.0)
    turn[:, 2] += (rng.uniform(0, 14), rng.normal(0, 6))
    moved = cv2.warpAffine(after, turn, (columns, rows))
    return np.asarray(np.maximum(fore, moved), dtype=np.float32)


def _surroundings(rng: np.random.Generator, footprint: Field, depth_m: float) -> Field:
    """Scour along the hull and debris around it, outside the footprint."""
    near = cv2.GaussianBlur(footprint, (0, 0), float(rng.uniform(3, 10)))
    outside = 1 - footprint
    ground = -near * outside * depth_m * float(rng.uniform(0, 0.25)) * (rng.random() < 0.6)
    if rng.random() < 0.7:
        for _ in range(int(rng.integers(3, 25))):
            row, column = (
                int(rng.normal(footprint.shape[0] / 2, 22)),
                int(rng.integers(0, footprint.shape[1])),
            )
            axes = (int(rng.integers(1, 6)), int(rng.integers(1, 4)))
            height = float(depth_m * rng.uniform(0.03, 0.25))
            cv2.ellipse(ground, (column, row), axes, float(rng.uniform(0, 180)), 0, 360, height, -1)
        ground = np.where(footprint > 0, np.minimum(ground, 0), ground)
    # The raster's border is level, so that no wall appears where it ends.
    ground[[0, -1]] = 0
    ground[:, [0, -1]] = 0
    return np.asarray(ground, dtype=np.float32)


def _reflectivity(rng: np.random.Generator, footprint: Field) -> Field:
    strength = float(np.exp(rng.uniform(np.log(0.8), np.log(8.0))))
    uneven = np.exp(_noise(rng, footprint.shape, 5) * float(rng.uniform(0.1, 0.7)))
    return np.asarray(np.where(footprint > 0, strength * uneven, 1), dtype=np.float32)


def _rectangle(
    rng: np.random.Generator, shape: tuple[int, ...], length: tuple[int, int], beam_share: tuple[float, float]
) -> Field:
    raster = np.zeros(shape, np.float32)
    half_beam = (shape[0] - 2 * _MARGIN) / 2
    long = int(rng.integers(*length))
    start = int(rng.integers(_MARGIN + 5, max(shape[1] - _MARGIN - long - 5, _MARGIN + 6)))
    half = max(1.0, half_beam * float(rng.uniform(*beam_share)))
    middle = shape[0] / 2 + float(rng.normal(0, 0.1)) * half_beam
    raster[int(middle - half) : int(middle + half) + 1, start : start + long] = 1
    return raster


def _noise(rng: np.random.Generator, shape: tuple[int, ...], texels: int) -> Field:
    """Smooth noise, mean 0 and deviation about 1, features of about `texels`."""
    small = rng.standard_normal((shape[0] // texels + 2, shape[1] // texels + 2)).astype(np.float32)
    return np.asarray(
        cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32
    )
