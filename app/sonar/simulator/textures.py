"""Periodic random fields that every simulated seabed is put together from.

One bank of fields, the same in every process, is read at random places, turns and scales: far cheaper than
new noise for each ping block, and two blocks of one line that meet agree where they meet.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

SIDE_TEXELS = 512
_SLOPES = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0)
_BANK_SEED = 20260


@lru_cache(maxsize=1)
def texture_bank() -> tuple[Field, ...]:
    """Six fields of (512, 512), mean 0, standard deviation 1; amplitude falls with wave number^-slope / 2."""
    rng = np.random.default_rng(_BANK_SEED)
    frequency = np.fft.fftfreq(SIDE_TEXELS)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    # Nothing longer than an eighth of the field, so that its period does not show.
    band = radius >= 8 / SIDE_TEXELS
    bank = []
    for slope in _SLOPES:
        spectrum = np.fft.fft2(rng.standard_normal((SIDE_TEXELS, SIDE_TEXELS)))
        shaped = np.where(band, spectrum * np.maximum(radius, 1e-6) ** (-slope), 0)
        field = np.fft.ifft2(shaped).real
        bank.append(np.ascontiguousarray(field / field.std(), dtype=np.float32))
    return tuple(bank)


@dataclass(frozen=True, kw_only=True, slots=True)
class Texture:
    """One field of the bank laid over the ground."""

    field: int
    """Index in the bank, 0 white noise to 5 smooth."""
    texel_m: float
    """Ground size of a texel."""
    angle_rad: float
    origin: tuple[float, float]
    """Where the ground's origin lies in the field, texels."""

    @classmethod
    def draw(cls, rng: np.random.Generator, field: int, texel_m: float) -> "Texture":
        """A texture at a random place, turned at random."""
        origin = rng.uniform(0, SIDE_TEXELS, 2)
        return cls(
            field=field,
            texel_m=texel_m,
            angle_rad=float(rng.uniform(0, 2 * np.pi)),
            origin=(float(origin[0]), float(origin[1])),
        )

    def at(self, x_m: Field, y_m: Field, cell_m: float) -> Field:
        """Values at ground points of shape (P, X) that are about `cell_m` apart.

        Where a texel covers many cells the field is read on a coarser grid and raised with a cubic:
        interpolation in 1/32 steps, as OpenCV does it, would turn gentle slopes into stairs.
        """
        rows, columns = x_m.shape
        row_m = abs(float(x_m[1, 0] - x_m[0, 0])) + abs(float(y_m[1, 0] - y_m[0, 0])) + 1e-6
        down, across = self._step(row_m, rows), self._step(cell_m, columns)
        coarse = slice(down // 2, None, down), slice(across // 2, None, across)
        coarse_x, coarse_y = x_m[coarse], y_m[coarse]
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        u = (coarse_x * cos + coarse_y * sin) / self.texel_m + self.origin[0]
        v = (coarse_y * cos - coarse_x * sin) / self.texel_m + self.origin[1]
        # cv2.remap holds whole parts in 16 bits: stay near the field, which repeats anyway.
        u -= SIDE_TEXELS * math.floor(u.min() / SIDE_TEXELS)
        v -= SIDE_TEXELS * math.floor(v.min() / SIDE_TEXELS)
        values = cv2.remap(
            texture_bank()[self.field],
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_CUBIC if down * across > 1 else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        if down * across > 1:
            values = cv2.resize(values, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return np.asarray(values, dtype=np.float32)

    def _step(self, spacing_m: float, points: int) -> int:
        """Points to leave out so that nearly every texel is still read; a power of two, at most 16."""
        most = min(self.texel_m / spacing_m, 16, points // 2)
        return 1 << int(math.log2(max(most, 1)))
