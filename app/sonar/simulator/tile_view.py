"""How the sonar passes the patch of seabed that a tile shows."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.textures import Field

_CELLS_PER_PIXEL = 1.6
"""Ground cells to a tile's pixel: enough for shadows' edges, and a fifth faster than two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """One draw a tile; the sonar is at ground range 0, the tile begins at `first_range_m`."""

    size_px: int
    pixel_m: float
    """Across the track."""
    ping_spacing_m: float
    altitude_m: float
    first_range_m: float
    corrected_altitude_m: float
    """What the correction believes: 0 leaves the water column in."""
    sample_m: float

    @property
    def cell_m(self) -> float:
        """Spacing of the ground's heights."""
        return self.pixel_m / _CELLS_PER_PIXEL

    @property
    def length_m(self) -> float:
        """Of the tile, along the track."""
        return self.size_px * self.ping_spacing_m

    def ground_ranges_m(self) -> Field:
        """(X,) from a margin nearer to the sonar, whence shadows fall into the tile, to the last column's ground."""
        margin_m = self.size_px // 6 * self.pixel_m
        first = max(self.first_range_m - margin_m, self.cell_m / 2)
        last_slant_m = float(self.column_slants_m()[-1])
        seen_to_m = np.sqrt(max(last_slant_m**2 - self.altitude_m**2, 0.0))
        last = max(self.first_range_m + self.size_px * self.pixel_m, seen_to_m) + 8 * self.pixel_m
        return np.arange(first, last, self.cell_m, dtype=np.float32)

    def column_slants_m(self) -> Field:
        """(size_px,) slant range that the correction shows in each column's middle."""
        columns = np.arange(self.size_px, dtype=np.float32) + np.float32(0.5)
        if not self.corrected_altitude_m:
            return np.asarray(self._first_slant_m() + columns * self.pixel_m, dtype=np.float32)
        ground = self.first_range_m + columns * self.pixel_m
        return np.asarray(np.hypot(ground, self.corrected_altitude_m), dtype=np.float32)

    def columns(self, slant_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """Tile columns, with fractions, at which slant ranges appear."""
        if not self.corrected_altitude_m:
            return np.asarray((slant_m - self._first_slant_m()) / self.pixel_m, dtype=np.float64)
        squared = np.maximum(np.square(slant_m) - self.corrected_altitude_m**2, 0)
        return np.asarray((np.sqrt(squared) - self.first_range_m) / self.pixel_m, dtype=np.float64)

    def _first_slant_m(self) -> float:
        """Left edge of an uncorrected tile: some water before the bottom where the tile begins near nadir."""
        edge = np.hypot(self.first_range_m, self.altitude_m) - 0.2 * self.size_px * self.pixel_m
        return max(float(edge), 0.0)


def draw_view(rng: np.random.Generator, size_px: int, pixel_m: float, highest_m: float) -> View:
    """A view at this pixel size in which an object `highest_m` high is still below the towfish."""
    width_m = size_px * pixel_m
    altitude_m = float(np.exp(rng.uniform(np.log(2.5), np.log(25)))) + width_m * float(rng.uniform(0, 0.15))
    altitude_m = max(altitude_m, highest_m * float(rng.uniform(1.1, 4)), 6 * pixel_m)
    # Towfish are flown at 8 to 20 % of the range: most of a line is seen at grazing angles under 45 degrees.
    far_m = altitude_m * float(np.exp(rng.uniform(np.log(2), np.log(11))))
    first_m = max(far_m - width_m, 0.0) if rng.random() < 0.9 else 0.0
    # A third are waterfalls as recorded, water column and all, one pixel a sample: so are most published ones.
    kind = rng.choice(3, p=(0.57, 0.08, 0.35))
    error = float(rng.normal(1, 0.01)) if kind == 0 else float(rng.uniform(0.6, 1.0)) if kind == 1 else 0.0
    if kind == 2:
        first_m = max(first_m - altitude_m * 0.3, 0.0)
    # A third of all tiles have square pixels: the detection brings lines to about that.
    aspect = 1.0 if rng.random() < 0.35 else float(np.exp(rng.uniform(np.log(0.6), np.log(1.7))))
    view = View(
        size_px=size_px,
        pixel_m=pixel_m,
        ping_spacing_m=pixel_m * aspect,
        altitude_m=altitude_m,
        first_range_m=first_m,
        corrected_altitude_m=altitude_m * error,
        sample_m=pixel_m * (1.0 if kind == 2 else float(rng.uniform(0.5, 1.1))),
    )
    # Such an error of altitude that more than half of the tile were water is no use to anybody.
    if error and float(view.column_slants_m()[size_px // 2]) < altitude_m:
        view = replace(view, corrected_altitude_m=altitude_m)
    return view
