"""What a tile shows: its objects, and the ground that they lie on."""

import cv2
import numpy as np

from app.sonar.simulator.aircraft import draw_aircraft
from app.sonar.simulator.clutter import draw_stones, draw_track
from app.sonar.simulator.seabed import BOTTOMS, draw_seabed
from app.sonar.simulator.shape import SHIP, TARGET, Placed, Shape, Terrain
from app.sonar.simulator.ships import draw_ship
from app.sonar.simulator.small_targets import draw_target
from app.sonar.simulator.tile_view import View


def draw_label(rng: np.random.Generator, classes: tuple[str, ...]) -> str:
    """Which class a tile shows, small targets most often."""
    weight = {TARGET: 0.5, SHIP: 0.34}
    share = np.array([weight.get(name, 0.16) for name in classes])
    return str(rng.choice(np.array(classes), p=share / share.sum()))


def draw_objects(rng: np.random.Generator, label: str | None, size_px: int) -> tuple[float, list[Shape]]:
    """The objects and a pixel size at which they can be seen and fit."""
    if label is None:
        return float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))), []
    if label == TARGET:
        shapes = [draw_target(rng, dummies=0.4) for _ in range(rng.choice((1, 2, 3), p=(0.72, 0.2, 0.08)))]
        longest_m = max(max(shape.extent_m()) for shape in shapes)
        # High frequencies resolve centimetres: a body of 1.8 m fills 30 to 75 px of real tiles (10th to 90th
        # percentile). Whole surveys are looked through at 8 to 25 cm a pixel, where targets are 5 to 30 px: a third
        # is that small. More of them and every bright spot is taken for one; without them none is found.
        least, most = (0.028, 0.11) if rng.random() < 0.35 else (0.065, 0.38)
        span_px = size_px * float(np.exp(rng.uniform(np.log(least), np.log(most))))
        return float(np.clip(longest_m / span_px, 0.012, 0.3)), shapes
    # Published pictures of wrecks are cut around them (median box 102 px of 256 for ships, 150 for aircraft).
    least, most = (0.2, 1.2) if label == SHIP else (0.35, 1.15)
    span_px = size_px * float(np.exp(rng.uniform(np.log(least), np.log(most))))
    if label == SHIP:
        length_m = float(np.exp(rng.uniform(np.log(8), np.log(60))))
        count = 1 if span_px > 0.4 * size_px or rng.random() < 0.8 else 2
        shapes = [draw_ship(rng, length_m * float(rng.uniform(0.7, 1))) for _ in range(count)]
    else:
        length_m = float(rng.uniform(8, 20))
        shapes = [draw_aircraft(rng, length_m)]
    return float(np.clip(length_m / span_px, 0.04, 0.9)), shapes


def draw_ground(rng: np.random.Generator, view: View) -> Terrain:
    """Bottom, tracks and stones, in coordinates x = ground range, y along the track, bent by yaw."""
    range_X = view.ground_ranges_m()
    along_P = (np.arange(view.size_px) * view.ping_spacing_m).astype(np.float32)
    knots = rng.normal(0, np.deg2rad(rng.uniform(0.05, 1.2)), (max(3, view.size_px // 40), 1)).astype(
        np.float32
    )
    yaw_P = cv2.resize(knots, (1, view.size_px), interpolation=cv2.INTER_CUBIC).ravel()
    y_PX = along_P[:, None] + range_X[None] * yaw_P[:, None] if rng.random() < 0.6 else None
    if y_PX is None:
        y_PX = np.repeat(along_P[:, None], len(range_X), 1)
    x_PX = np.repeat(range_X[None], view.size_px, 0)
    # Surveys for small targets are mostly flown where the bottom is level; rock and mixtures are the exception.
    bottom = str(rng.choice(BOTTOMS, p=(0.26, 0.32, 0.13, 0.13, 0.05, 0.11)))
    height, reflectivity = draw_seabed(rng, bottom, view.pixel_m).at(x_PX, y_PX, view.cell_m)
    if rng.random() < 0.25:
        height += (x_PX - x_PX.mean()) * np.float32(rng.normal(0, 0.015))
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
    if rng.random() < 0.55:
        size_m = view.pixel_m * float(np.exp(rng.uniform(np.log(3), np.log(20))))
        for stone in draw_stones(rng, across, along, int(rng.integers(1, 30)), min(size_m, 3.0)):
            stone.lay(terrain)
    return terrain


def place(rng: np.random.Generator, view: View, shapes: list[Shape]) -> list[Placed]:
    """Objects apart from each other, mostly well inside the tile."""
    placed: list[Placed] = []
    edge, whole = 0.02 if rng.random() < 0.25 else 0.15, rng.random() < 0.75
    for shape in shapes:
        reach_m = max(shape.extent_m()) / 2
        # Who cuts a tile around a wreck shows the whole of it.
        edge_x = min(max(edge, reach_m / (view.size_px * view.pixel_m)), 0.48) if whole else edge
        edge_y = min(max(edge, reach_m / view.length_m), 0.48) if whole else edge
        for _ in range(8):
            x = view.first_range_m + float(rng.uniform(edge_x, 1 - edge_x)) * view.size_px * view.pixel_m
            # Right under the towfish there is neither shadow nor resolution across the track.
            x = max(x, view.altitude_m * float(rng.uniform(0.4, 0.8)))
            y = float(rng.uniform(edge_y, 1 - edge_y)) * view.length_m
            apart = min((np.hypot(x - p.x_m, y - p.y_m) - p.shape.radius_m for p in placed), default=np.inf)
            if apart > shape.radius_m:
                placed.append(Placed(shape=shape, x_m=x, y_m=y, angle_rad=float(rng.uniform(0, 2 * np.pi))))
                break
    return placed
