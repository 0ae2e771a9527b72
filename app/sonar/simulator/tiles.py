"""Labelled training tiles: small patches of seabed, seen as corrected waterfalls show them.

The same height maps, ray tracing and speckle as in whole lines, on a patch just large enough for the tile.
Shape suffixes: P pings (tile rows), X ground cells, S slant samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import SettingsError
from app.sonar.simulator.aircraft import draw_aircraft
from app.sonar.simulator.boxes import see
from app.sonar.simulator.clutter import draw_stones, draw_track
from app.sonar.simulator.degrade import drop_pings, fish, interfere, row_gain, smooth, speckle
from app.sonar.simulator.raytrace import Echo, collect, flat_echo, illuminate
from app.sonar.simulator.seabed import BOTTOMS, draw_seabed
from app.sonar.simulator.shape import CLASS_NAMES, SHIP, TARGET, Placed, Shape, Terrain, lay
from app.sonar.simulator.ships import draw_ship
from app.sonar.simulator.small_targets import draw_target
from app.sonar.simulator.textures import Field
from app.sonar.simulator.visibility import stands_out

Tile = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]

EMPTY_SHARE = 0.4
"""Share of tiles without any labelled object."""
_LEAST_BOX_PX = 4.0
_CELLS_PER_PIXEL = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """How the sonar passes the patch; one draw a tile."""

    size_px: int
    pixel_m: float
    ping_spacing_m: float
    altitude_m: float
    first_range_m: float
    corrected_altitude_m: float
    """What the correction believes: 0 leaves the water column in."""
    sample_m: float

    @property
    def cell_m(self) -> float:
        return self.pixel_m / _CELLS_PER_PIXEL

    @property
    def range_X(self) -> Field:  # noqa: N802
        """Ground ranges, with a margin nearer to the sonar from where shadows fall into the tile."""
        margin = self.size_px // 6
        cells = (self.size_px + margin + 8) * _CELLS_PER_PIXEL
        first = max(self.first_range_m - margin * self.pixel_m, self.cell_m / 2)
        return (first + np.arange(cells) * self.cell_m).astype(np.float32)

    @property
    def length_m(self) -> float:
        return self.size_px * self.ping_spacing_m


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
    label = None if rng.random() < EMPTY_SHARE else _draw_label(rng, classes)
    pixel_m, shapes = _draw_objects(rng, label, size_px)
    view = _draw_view(rng, size_px, pixel_m, shapes)
    terrain = _draw_ground(rng, view)
    placed = _place(rng, view, shapes)
    for index, one in enumerate(placed):
        lay(terrain, one, index)
    range_X = view.range_X
    altitude_P = np.full(size_px, view.altitude_m, np.float32)
    echo = illuminate(
        height_PX=terrain.height_PX,
        reflectivity_PX=terrain.reflectivity_PX,
        gloss_PX=terrain.gloss_PX if placed else 0.0,
        range_X=range_X,
        altitude_P=altitude_P,
        ping_spacing_m=view.ping_spacing_m,
    )
    image = _picture(rng, view, echo, range_X)
    boxes, labels = _boxes(view, echo, terrain, placed, classes, image)
    if rng.random() < 0.5:
        image = np.ascontiguousarray(image[:, ::-1])
        boxes[:, [0, 2]] = size_px - boxes[:, [2, 0]]
    return image, boxes, labels


def _draw_label(rng: np.random.Generator, classes: tuple[str, ...]) -> str:
    weight = {TARGET: 0.45, SHIP: 0.38}
    share = np.array([weight.get(name, 0.17) for name in classes])
    return str(rng.choice(np.array(classes), p=share / share.sum()))


def _draw_objects(rng: np.random.Generator, label: str | None, size_px: int) -> tuple[float, list[Shape]]:
    """The objects and a pixel size at which they can be seen and fit."""
    if label is None:
        return float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))), []
    if label == TARGET:
        shapes = [draw_target(rng) for _ in range(rng.choice((1, 2, 3), p=(0.72, 0.2, 0.08)))]
        longest_m = max(max(shape.extent_m()) for shape in shapes)
        return float(np.clip(longest_m / np.exp(rng.uniform(np.log(6), np.log(42))), 0.04, 0.3)), shapes
    span_px = size_px * float(np.exp(rng.uniform(np.log(0.16), np.log(1.1))))
    if label == SHIP:
        length_m = float(np.exp(rng.uniform(np.log(8), np.log(60))))
        count = 1 if span_px > 0.4 * size_px or rng.random() < 0.8 else 2
        shapes = [draw_ship(rng, length_m * float(rng.uniform(0.7, 1))) for _ in range(count)]
    else:
        length_m = float(rng.uniform(8, 20))
        shapes = [draw_aircraft(rng, length_m)]
    return float(np.clip(length_m / span_px, 0.04, 0.9)), shapes


def _draw_view(rng: np.random.Generator, size_px: int, pixel_m: float, shapes: list[Shape]) -> _View:
    highest_m = max((shape.height_m for shape in shapes), default=0.0)
    width_m = size_px * pixel_m
    altitude_m = float(np.exp(rng.uniform(np.log(2.5), np.log(25)))) + width_m * float(rng.uniform(0, 0.15))
    altitude_m = max(altitude_m, highest_m * float(rng.uniform(1.1, 4)), 6 * pixel_m)
    # Towfish are flown at 8 to 20 % of the range: most of a line is seen at grazing angles under 45 degrees.
    far_m = altitude_m * float(np.exp(rng.uniform(np.log(2), np.log(11))))
    first_m = max(far_m - width_m, 0.0) if rng.random() < 0.9 else 0.0
    kind = rng.choice(3, p=(0.82, 0.1, 0.08))
    error = float(rng.normal(1, 0.01)) if kind == 0 else float(rng.uniform(0.6, 1.0)) if kind == 1 else 0.0
    if kind == 2:
        first_m = max(first_m - altitude_m * 0.3, 0.0)
    # A third of all tiles have square pixels: the detection brings lines to about that.
    aspect = 1.0 if rng.random() < 0.35 else float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
    return _View(
        size_px=size_px,
        pixel_m=pixel_m,
        ping_spacing_m=pixel_m * aspect,
        altitude_m=altitude_m,
        first_range_m=first_m,
        corrected_altitude_m=altitude_m * error,
        sample_m=pixel_m * float(rng.uniform(0.7, 1.2)),
    )


def _draw_ground(rng: np.random.Generator, view: _View) -> Terrain:
    """Bottom, tracks and stones, in coordinates x = ground range, y along the track, bent by yaw."""
    range_X = view.range_X
    along_P = (np.arange(view.size_px) * view.ping_spacing_m).astype(np.float32)
    knots = rng.normal(0, np.deg2rad(rng.uniform(0.05, 1.2)), (max(3, view.size_px // 40), 1)).astype(
        np.float32
    )
    yaw_P = cv2.resize(knots, (1, view.size_px), interpolation=cv2.INTER_CUBIC).ravel()
    y_PX = along_P[:, None] + range_X[None] * yaw_P[:, None] if rng.random() < 0.6 else None
    if y_PX is None:
        y_PX = np.repeat(along_P[:, None], len(range_X), 1)
    x_PX = np.repeat(range_X[None], view.size_px, 0)
    bottom = str(rng.choice(BOTTOMS, p=(0.17, 0.27, 0.17, 0.14, 0.09, 0.16)))
    height, reflectivity = draw_seabed(rng, bottom, view.pixel_m).at(x_PX, y_PX, view.cell_m)
    if rng.random() < 0.25:
        height += x_PX * np.float32(rng.normal(0, 0.015))
    terrain = Terrain(
        x_PX=x_PX,
        y_PX=y_PX,
        height_PX=height,
        reflectivity_PX=reflectivity,
        gloss_PX=np.zeros_like(height),
        owner_PX=np.full(height.shape, -1, np.int16),
    )
    across, along = (float(range_X[0]), float(range_X[-1])), (0.0, view.length_m)
    for _ in range(int(rng.choice((0, 1, 2, 3), p=(0.75, 0.15, 0.06, 0.04)))):
        draw_track(rng, float(rng.uniform(*across)), float(rng.uniform(*along))).lay(terrain)
    if rng.random() < 0.45:
        size_m = view.pixel_m * float(np.exp(rng.uniform(np.log(3), np.log(20))))
        for stone in draw_stones(rng, across, along, int(rng.integers(1, 18)), min(size_m, 3.0)):
            stone.lay(terrain)
    return terrain


def _place(rng: np.random.Generator, view: _View, shapes: list[Shape]) -> list[Placed]:
    """Objects apart from each other, mostly well inside the tile."""
    placed: list[Placed] = []
    edge = 0.02 if rng.random() < 0.25 else 0.15
    for shape in shapes:
        for _ in range(8):
            x = view.first_range_m + float(rng.uniform(edge, 1 - edge)) * view.size_px * view.pixel_m
            # Right under the towfish there is neither shadow nor resolution across the track.
            x = max(x, view.altitude_m * float(rng.uniform(0.4, 0.8)))
            y = float(rng.uniform(edge, 1 - edge)) * view.length_m
            apart = min((np.hypot(x - p.x_m, y - p.y_m) - p.shape.radius_m for p in placed), default=np.inf)
            if apart > shape.radius_m:
                placed.append(Placed(shape=shape, x_m=x, y_m=y, angle_rad=float(rng.uniform(0, 2 * np.pi))))
                break
    return placed


def _picture(rng: np.random.Generator, view: _View, echo: Echo, range_X: Field) -> NDArray[np.uint8]:
    """Energy to grey values: samples, beam, speckle, correction to ground range, gain, display."""
    columns = np.arange(view.size_px, dtype=np.float32) + 0.5
    ground = view.first_range_m + columns * view.pixel_m
    believed = (
        np.hypot(ground, view.corrected_altitude_m)
        if view.corrected_altitude_m
        else _raw_slant(view, columns)
    )
    first_m = float(min(believed[0], np.hypot(range_X[0], view.altitude_m))) - 2 * view.sample_m
    samples = min(int((believed[-1] - first_m) / view.sample_m) + 3, 4 * view.size_px)
    flat = flat_echo(range_X=range_X, altitude_P=np.full(1, view.altitude_m, np.float32))
    reference = collect(flat, first_m=first_m, sample_m=view.sample_m, samples=samples)[0]
    energy = collect(echo, first_m=first_m, sample_m=view.sample_m, samples=samples) / _filled(reference)
    # Receivers saturate, and steep smooth faces throw most of their energy past the sonar.
    limit = np.float32(np.exp(rng.uniform(np.log(6), np.log(60))))
    energy = energy / (1 + energy / limit)
    return _developed(rng, view, energy, believed, first_m)


def _filled(reference_S: Field) -> Field:
    """The level bottom's energy per sample, its first real value also standing where nothing can arrive."""
    filled = reference_S.copy()
    real = np.flatnonzero(filled > 0)
    filled[: real[0]] = filled[real[0]]
    return np.where(filled > 0, filled, filled[real].min()).astype(np.float32)


def _raw_slant(view: _View, columns: Field) -> Field:
    """Slant ranges of the columns of an uncorrected picture that shows about the same ground."""
    start = max(np.hypot(view.first_range_m, view.altitude_m) - 0.2 * view.size_px * view.pixel_m, 0)
    return np.asarray(start + columns * view.pixel_m, dtype=np.float32)


def _developed(
    rng: np.random.Generator, view: _View, energy: Field, believed: Field, first_m: float
) -> NDArray[np.uint8]:
    pings, samples = energy.shape
    slant_mid = float(believed[len(believed) // 2])
    beam_px = float(np.deg2rad(rng.uniform(0.15, 0.9))) * slant_mid / view.ping_spacing_m / 2.35
    energy = smooth(energy, (min(beam_px, 2.2), float(rng.uniform(0, 0.7))))
    looks = int(rng.choice((1, 2, 3, 4), p=(0.62, 0.24, 0.09, 0.05)))
    energy = energy * speckle(
        rng, energy.shape, looks=looks, sigma_px=(float(rng.uniform(0, 0.65)), float(rng.uniform(0, 0.5)))
    )
    slant = first_m + (np.arange(samples, dtype=np.float32) + 0.5) * view.sample_m
    energy = energy + _water(rng, view, energy.shape, slant)
    power = float(np.clip(rng.normal(0.48, 0.08), 0.28, 0.65))
    image = np.asarray(energy**power, dtype=np.float32)
    _artefacts(rng, image)
    map_x = ((believed - first_m) / view.sample_m - 0.5).astype(np.float32)
    map_y = np.arange(pings, dtype=np.float32)
    image = cv2.remap(
        image,
        np.repeat(map_x[None], pings, 0),
        np.repeat(map_y[:, None], len(map_x), 1),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _displayed(rng, np.asarray(image, dtype=np.float32))


def _water(rng: np.random.Generator, view: _View, shape: tuple[int, int], slant: Field) -> Field:
    """Noise that fills shadows and the water column, with surface and second bottom returns now and then."""
    floor = float(np.exp(rng.uniform(np.log(0.002), np.log(0.12))))
    # An uncompensated gain raises the noise with range.
    level = floor * np.exp(np.linspace(0, rng.uniform(0, 1.2), shape[1], dtype=np.float32))[None]
    if rng.random() < 0.08:
        depth_m = view.altitude_m * float(rng.choice((2.0, rng.uniform(0.5, 3))))
        width_m = 0.03 * depth_m + view.sample_m
        level = level + np.exp(-np.square((slant - depth_m) / width_m))[None] * float(rng.uniform(0.3, 2))
    return np.asarray(level * rng.standard_exponential(shape, dtype=np.float32), dtype=np.float32)


def _artefacts(rng: np.random.Generator, image: Field) -> None:
    if rng.random() < 0.5:
        image *= row_gain(rng, len(image), strength=float(rng.uniform(0.01, 0.14)))
    if rng.random() < 0.06:
        drop_pings(rng, image, rate=float(rng.uniform(0.003, 0.03)))
    if rng.random() < 0.03:
        interfere(rng, image, strength=float(rng.uniform(0.5, 3)))
    if rng.random() < 0.06:
        fish(rng, image, int(rng.integers(3, 40)), float(rng.uniform(1, 4)))


def _displayed(rng: np.random.Generator, image: Field) -> NDArray[np.uint8]:
    """Gain and contrast as the corrections leave them: median level about 90 of 255."""
    width = image.shape[1]
    if rng.random() < 0.25:
        sigma = float(rng.uniform(0.3, 0.9))
        image = smooth(image, (sigma, sigma * float(rng.uniform(0.5, 1.5))))
    if rng.random() < 0.5:
        # Column normalisation, as gain correction does it, on the picture itself.
        column = cv2.GaussianBlur(np.median(image[::4], 0)[None], (0, 0), width / 16)
        image = image / np.maximum(column, 0.3 * float(column.mean()) + 1e-6)
    ramp = np.exp(np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.normal(0, 0.2)))
    image = image * ramp[None]
    level = float(np.clip(np.exp(rng.normal(np.log(90), 0.3)), 30, 170))
    middle = float(np.median(image[::4, ::4])) + 0.15 * float(image.mean()) + 1e-6
    return np.asarray(np.clip(image * (level / middle), 0, 255), dtype=np.uint8)


def _boxes(
    view: _View,
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
        near, far = _column(view, seen.near_slant_m), _column(view, seen.far_slant_m)
        whole = np.array((near - 0.5, seen.first_row - 0.5, far + 0.5, seen.last_row + 0.5))
        box = np.clip(whole, 0, view.size_px)
        area = float(np.prod(whole[2:] - whole[:2]))
        fits = np.all(box[2:] - box[:2] >= _LEAST_BOX_PX) and float(np.prod(box[2:] - box[:2])) > 0.25 * area
        if fits and stands_out(image, box):
            boxes.append(box)
            labels.append(classes.index(label))
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)


def _column(view: _View, slant_m: float) -> float:
    """Tile column at which a slant range appears."""
    if not view.corrected_altitude_m:
        return (slant_m - float(_raw_slant(view, np.zeros(1, np.float32))[0])) / view.pixel_m
    ground = np.sqrt(max(slant_m**2 - view.corrected_altitude_m**2, 0.0))
    return float((ground - view.first_range_m) / view.pixel_m)
