"""Augmentation that a sonar could have produced.

Along-track flips are another heading; across-track flips turn a port tile into a starboard tile, shadow
and all. Rotations and shears are absent: shadows always fall across track.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 64
"""Rows whose brightness is changed at once: they stay in the processor's cache (twice as fast at 640 px)."""
Source = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]
"""Image (H, W), boxes (N, 4) and labels (N,)."""

_NOISE = np.random.Generator(np.random.Philox(key=20260101)).standard_normal(1 << 20, dtype=np.float32)
"""Drawn once: slices from random places look as random and cost a hundredth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """How far a tile may be changed. Source: measured on small targets, see the model card."""

    along_flip: float = 0.5
    across_flip: float = 0.5
    """Port becomes starboard."""
    mosaic: float = 0.5
    """Part of the tiles that are put together from four."""
    scale: tuple[float, float] = (0.6, 1.6)
    wide: float = 0.0
    """Part of the tiles scaled by `wide_scale` instead: for objects that fill their tiles, which a survey seen at
    one pixel size also holds smaller."""
    wide_scale: tuple[float, float] = (0.25, 1.0)
    aspect_log: float = 0.15
    shift: float = 0.2
    """Of the tile's side, in either direction."""
    keep_visible: float = 0.15
    """A box stays when this part of its area is still in the tile."""
    gain_log: float = 0.5
    gamma_log: float = 0.35
    ramp_log: float = 0.3
    """Brightness from one side to the other, as left by imperfect gain correction."""
    banding: float = 0.12
    """Deviation of the pings' brightness, in half of the tiles."""
    speckle: float = 0.2
    """Largest deviation of multiplicative noise."""
    copy_paste: float = 0.0
    """Part of the tiles into which a target with its surroundings is pasted; measured to help little."""

    def without_mosaic(self) -> "Augmentation":
        """The same with whole tiles only, for the last part of a run."""
        return replace(self, mosaic=0.0)


def augment(
    sources: Sequence[Source], size_px: int, config: Augmentation, rng: np.random.Generator
) -> Source:
    """One training tile.

    Args:
        sources: one image, or four for a mosaic.
        size_px: side of the result.
        rng: draws everything; the same state gives the same tile.
    """
    if len(sources) == 1:
        image, boxes, labels = _place(sources[0], (size_px, size_px), config, rng)
    else:
        image, boxes, labels = _mosaic(sources, size_px, config, rng)
    return _photometric(image, config, rng), boxes, labels


def _mosaic(
    sources: Sequence[Source], size_px: int, config: Augmentation, rng: np.random.Generator
) -> Source:
    cx, cy = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size_px)
    image = np.zeros((size_px, size_px), dtype=np.uint8)
    boxes, labels = [], []
    for source, (left, top, right, bottom) in zip(
        sources,
        ((0, 0, cx, cy), (cx, 0, size_px, cy), (0, cy, cx, size_px), (cx, cy, size_px, size_px)),
        strict=True,
    ):
        part, part_boxes, part_labels = _place(source, (bottom - top, right - left), config, rng)
        image[top:bottom, left:right] = part
        boxes.append(part_boxes + np.array([left, top, left, top], dtype=np.float32))
        labels.append(part_labels)
    return image, np.concatenate(boxes), np.concatenate(labels)


def _place(
    source: Source, size_hw: tuple[int, int], config: Augmentation, rng: np.random.Generator
) -> Source:
    """Scale, flip and shift a source into a canvas, in one resampling."""
    image, boxes, labels = source
    height, width = image.shape
    out_h, out_w = size_hw
    zoom = config.wide_scale if config.wide > 0 and rng.random() < config.wide else config.scale
    scale = np.exp(rng.uniform(*np.log(zoom))) * _base_scale((height, width), max(size_hw), rng)
    stretch = np.exp(rng.uniform(-config.aspect_log, config.aspect_log) / 2)
    sx, sy = scale * stretch, scale / stretch
    flip_x, flip_y = rng.random(2) < (config.across_flip, config.along_flip)
    focus = np.array([width, height]) / 2
    if len(boxes) and rng.random() < 0.7:
        # Towards a target where the canvas shows only part of the image: a crop without any teaches little.
        box = boxes[rng.integers(len(boxes))]
        focus = np.array([box[0] + box[2], box[1] + box[3]]) / 2 * 0.7 + focus * 0.3
    spare = np.maximum(0, 1 - np.array([out_w / (width * sx), out_h / (height * sy)]))
    focus = np.array([width, height]) / 2 * (1 - spare) + focus * spare
    ax, ay = (-sx if flip_x else sx), (-sy if flip_y else sy)
    shift_x, shift_y = rng.uniform(-config.shift, config.shift, 2) * (out_w, out_h)
    tx, ty = out_w / 2 - ax * focus[0] + shift_x, out_h / 2 - ay * focus[1] + shift_y
    matrix = np.array([[ax, 0, tx], [0, ay, ty]])
    smooth = image
    if scale < 0.6:
        # warpAffine does not average: without this, speckle aliases.
        factor = int(1 / scale) | 1  # odd: an even kernel would shift the image against its boxes
        smooth = cv2.blur(image, (factor, factor))
    # Boxes count pixel edges, warpAffine counts pixel centres: half a pixel apart, a whole one after a flip.
    centres = matrix + np.array([[0, 0, (ax - 1) / 2], [0, 0, (ay - 1) / 2]])
    canvas = cv2.warpAffine(smooth, centres, (out_w, out_h), flags=cv2.INTER_LINEAR, borderValue=0)
    moved, kept = _move_boxes(boxes, matrix, (out_h, out_w), config.keep_visible)
    return np.asarray(canvas, dtype=np.uint8), moved, labels[kept]


def _base_scale(image_hw: tuple[int, int], canvas_px: int, rng: np.random.Generator) -> float:
    """Scale before augmentation: images larger than the tile are mostly shown whole, sometimes in part."""
    whole = min(1.0, canvas_px / max(image_hw))
    return whole if rng.random() < 0.6 else float(whole ** rng.uniform(0, 1))


def _move_boxes(
    boxes: NDArray[np.float32], matrix: NDArray[np.float64], size_hw: tuple[int, int], keep_visible: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    if not len(boxes):
        return boxes.reshape(0, 4), np.zeros(0, dtype=bool)
    x = boxes[:, [0, 2]] * matrix[0, 0] + matrix[0, 2]
    y = boxes[:, [1, 3]] * matrix[1, 1] + matrix[1, 2]
    moved = np.stack((x.min(1), y.min(1), x.max(1), y.max(1)), 1)
    clipped = np.clip(moved, 0, [size_hw[1], size_hw[0], size_hw[1], size_hw[0]])
    area = (moved[:, 2:] - moved[:, :2]).prod(1)
    size = clipped[:, 2:] - clipped[:, :2]
    kept = (size.prod(1) >= keep_visible * area) & (size.min(1) >= 2)
    return clipped[kept].astype(np.float32), kept


def _photometric(
    image: NDArray[np.uint8], config: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    height, width = image.shape
    gain, gamma, ramp = np.exp(rng.uniform(-1, 1, 3) * (config.gain_log, config.gamma_log, config.ramp_log))
    table = (np.linspace(0, 1, 256) ** gamma * gain * 255).astype(np.float32)
    across = np.exp(np.linspace(-0.5, 0.5, width) * np.log(ramp)).astype(np.float32)
    along = np.ones(height, dtype=np.float32)
    if rng.random() < 0.5:
        along = np.exp(config.banding * rng.standard_normal(height)).astype(np.float32)
    deviation = np.float32(rng.uniform(0, config.speckle))
    start = int(rng.integers(len(_NOISE) - image.size)) if image.size < len(_NOISE) else 0
    noise = _NOISE[start : start + image.size]
    if noise.size < image.size:
        noise = np.resize(noise, image.size)
    noise = noise.reshape(image.shape)
    out = np.empty_like(image)
    factors = np.empty((min(CHUNK_ROWS, height), width), dtype=np.float32)
    for first in range(0, height, CHUNK_ROWS):
        rows = slice(first, first + CHUNK_ROWS)
        bright = cv2.LUT(image[rows], table)
        part = factors[: len(bright)]
        np.multiply(along[rows, None], across, out=part)
        bright *= part
        np.multiply(noise[rows], deviation, out=part)
        part += 1
        bright *= part
        np.clip(bright, 0, 255, out=bright)
        out[rows] = bright
    return out
