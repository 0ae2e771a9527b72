"""The pings of a line over a scene: ground points under each beam, and what they send back."""

import numpy as np

from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.raytrace import Echo, illuminate
from app.sonar.simulator.scene import Scene
from app.sonar.simulator.shape import Terrain, lay
from app.sonar.simulator.textures import Field
from app.sonar.simulator.track import Track
from app.sonar.waterfall import Side

_CELLS_PER_SAMPLE = 1.5
_MULTIPLE = 16
"""Textures are read on coarser grids of up to this step."""


def ground_ranges_m(plan: SurveyPlan) -> Field:
    """(X,) even distances from the track to where the farthest sample meets the ground."""
    cell_m = plan.sample_m / _CELLS_PER_SAMPLE
    cells = int(plan.range_m / cell_m) + 8
    cells += -cells % _MULTIPLE
    return (np.arange(cells, dtype=np.float32) + np.float32(0.5)) * np.float32(cell_m)


def look(plan: SurveyPlan, scene: Scene, track: Track, side: Side) -> tuple[Terrain, Echo]:
    """Ground and echo of some pings on one side."""
    range_X = ground_ranges_m(plan)
    outwards = range_X if side is Side.STARBOARD else -range_X
    cos = np.cos(track.heading_rad).astype(np.float32)[:, None]
    sin = np.sin(track.heading_rad).astype(np.float32)[:, None]
    x_PX = track.east_m.astype(np.float32)[:, None] + outwards * cos
    y_PX = track.north_m.astype(np.float32)[:, None] - outwards * sin
    height, reflectivity = scene.seabed.at(x_PX, y_PX, float(range_X[1] - range_X[0]))
    terrain = Terrain(
        x_PX=x_PX,
        y_PX=y_PX,
        height_PX=height,
        reflectivity_PX=reflectivity,
        gloss_PX=np.zeros_like(height),
        owner_PX=np.full(height.shape, -1, np.int16),
    )
    for thing in scene.clutter:
        thing.lay(terrain)
    for number, placed in enumerate(scene.objects):
        lay(terrain, placed, number)
    echo = illuminate(
        height_PX=terrain.height_PX,
        reflectivity_PX=terrain.reflectivity_PX,
        gloss_PX=terrain.gloss_PX,
        range_X=range_X,
        altitude_P=track.altitude_m.astype(np.float32),
        ping_spacing_m=plan.ping_spacing_m,
    )
    return terrain, echo
