"""Labelled training tiles: small patches of seabed, seen as corrected waterfalls show them.

The same height maps, ray tracing and speckle as in whole lines, on a patch just large enough for the tile.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import SettingsError
from app.sonar.simulator.boxes import see
from app.sonar.simulator.degrade import furniture
from app.sonar.simulator.raytrace import Echo, illuminate
from app.sonar.simulator.shape import CLASS_NAMES, TARGET, Placed, Terrain, lay
from app.sonar.simulator.tile_ground import draw_ground, draw_label, draw_objects, place
from app.sonar.simulator.tile_picture import PUBLISHED, SURVEY, picture
from app.sonar.simulator.tile_view import View, draw_view
from app.sonar.simulator.visibility import stands_out

Tile = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]

EMPTY_SHARE = 0.4
"""Share of tiles without any labelled object."""
CUT_SHARE = 0.1
"""Share of tiles that the end of a line leaves partly black."""
FURNITURE_SHARE = 0.1
"""Share of tiles over which a display has drawn a scale."""
_LEAST_BOX_PX = 5.0


def simulate_tiles(
    count: int, *, size_px: int = 256, seed: int = 0, classes: Sequence[str] = CLASS_NAMES
) -> Iterator[Tile]:
    """Training tiles one by one: image (H, W) uint8, boxes (N, 4) left, top, right, bottom, labels (N,).

    Labels index `classes`. Tile k depends on (seed, k) alone, so a longer run begins like a shorter one.
    Half of the tiles look to starboard (shadows fall to the right), half to port.

    Raises: SettingsError for a class that cannot be simulated or a size under 64 px.
    """
    unknown = sorted(set(classes) - set(CLASS_NAMES))
    if unknown or not classes:
        raise SettingsError(
            f"classes={list(classes)}: allowed are {', '.join(CLASS_NAMES)}; name one or more of them"
        )
    if size_px < 64:
        raise SettingsError(f"size_px={size_px} is too small for an object and its shadow; use 64 or more")
    for number in range(count):
        yield _tile(np.random.default_rng((seed, number)), size_px, tuple(classes))


def _tile(rng: np.random.Generator, size_px: int, classes: tuple[str, ...]) -> Tile:
    label = None if rng.random() < EMPTY_SHARE else draw_label(rng, classes)
    pixel_m, shapes = draw_objects(rng, label, size_px)
    highest_m = max((shape.height_m for shape in shapes), default=0.0)
    view = draw_view(rng, size_px, pixel_m, highest_m)
    terrain = draw_ground(rng, view)
    placed = place(rng, view, shapes)
    for index, one in enumerate(placed):
        lay(terrain, one, index)
    range_X = view.ground_ranges_m()
    altitude_P = np.full(size_px, view.altitude_m, np.float32)
    echo = illuminate(
        height_PX=terrain.height_PX,
        reflectivity_PX=terrain.reflectivity_PX,
        gloss_PX=terrain.gloss_PX if placed else 0.0,
        range_X=range_X,
        altitude_P=altitude_P,
        ping_spacing_m=view.ping_spacing_m,
    )
    published = label != TARGET if label is not None else rng.random() < 0.5
    image = picture(rng, view, echo, range_X, PUBLISHED if published else SURVEY)
    boxes, labels = _boxes(view, echo, terrain, placed, classes, image)
    if rng.random() < FURNITURE_SHARE:
        covered = furniture(rng, image)
        if covered is not None:
            boxes, labels = _uncovered(boxes, labels, covered)
    if rng.random() < CUT_SHARE:
        boxes, labels = _cut_short(rng, image, boxes, labels)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        boxes[:, [0, 2]] = size_px - boxes[:, [2, 0]]
    return image, boxes, labels


def _uncovered(
    boxes: NDArray[np.float32], labels: NDArray[np.int64], covered: tuple[int, int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes of which less than half lies under a rectangle."""
    hidden = np.minimum(boxes[:, 2:], covered[2:]) - np.maximum(boxes[:, :2], covered[:2])
    share = np.clip(hidden, 0, None).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return boxes[share < 0.5], labels[share < 0.5]


def _cut_short(
    rng: np.random.Generator,
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Black in place where the line has no more pings, and the boxes that are left."""
    size_px = len(image)
    first, last = 0, size_px
    if rng.random() < 0.5:
        first = round(size_px * float(rng.uniform(0.03, 0.6)))
    else:
        last = round(size_px * float(rng.uniform(0.4, 0.97)))
    image[:first], image[last:] = 0, 0
    left = boxes.copy()
    left[:, [1, 3]] = np.clip(left[:, [1, 3]], first, last)
    height, whole = left[:, 3] - left[:, 1], boxes[:, 3] - boxes[:, 1]
    kept = (height >= _LEAST_BOX_PX) & (height > 0.25 * whole)
    return left[kept], labels[kept]


def _boxes(
    view: View,
    echo: Echo,
    terrain: Terrain,
    placed: list[Placed],
    classes: tuple[str, ...],
    image: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes that show enough to be labelled, clipped to the tile."""
    boxes, labels = [], []
    for index, one in enumerate(placed):
        label = str(one.shape.label)
        seen = see(echo, terrain.owner_PX, index, label, view.ping_spacing_m)
        if seen is None or seen.lit_cells < 6:
            continue
        near, far = view.columns(np.array((seen.near_slant_m, seen.far_slant_m)))
        whole = np.array((near - 0.5, seen.first_row - 0.5, far + 0.5, seen.last_row + 0.5))
        box = np.clip(whole, 0, view.size_px)
        area = float(np.prod(whole[2:] - whole[:2]))
        fits = np.all(box[2:] - box[:2] >= _LEAST_BOX_PX) and float(np.prod(box[2:] - box[:2])) > 0.25 * area
        columns = view.columns(seen.lit_slants_m)
        if fits and stands_out(image, box, seen.lit_rows, columns):
            boxes.append(box)
            labels.append(classes.index(label))
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)
