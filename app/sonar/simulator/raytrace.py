"""From ground to echo: which cells a ping lights, how much each sends back, and in which sample it arrives.

Shape suffixes: P pings, X ground cells outwards from the track, S slant samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.textures import Field


@dataclass(frozen=True, kw_only=True, slots=True)
class Echo:
    """What each ground cell sends back."""

    energy_PX: Field
    """0 in shadow."""
    slant_PX: Field
    """Metres along the beam."""
    lit_PX: NDArray[np.bool_]


def illuminate(
    *,
    height_PX: Field,
    reflectivity_PX: Field | float,
    gloss_PX: Field | float,
    range_X: Field,
    altitude_P: Field,
    ping_spacing_m: float,
) -> Echo:
    """Light the ground from a towfish `altitude_P` above height 0; `range_X` are even ground distances.

    A cell is in shadow where a nearer cell stands higher in the towfish's view (running maximum of the
    tangent of the elevation). Energy is Lambert's cos^2 of incidence times the cell's true surface, plus a
    narrow mirror-like lobe of strength `gloss_PX`.

    Source: Bell & Linnett 1997, simulation and analysis of synthetic side-scan sonar images, IEE Proc. 144.
    """
    cell_m = float(range_X[1] - range_X[0])
    down = altitude_P[:, None] - height_PX
    tangent = down / -range_X
    lit = tangent >= np.maximum.accumulate(tangent, axis=1)
    slope_x = np.empty_like(height_PX)
    # Backward difference: a wall's face belongs to the cell at its top, which is the one that is lit.
    np.subtract(height_PX[:, 1:], height_PX[:, :-1], out=slope_x[:, 1:])
    slope_x[:, 0] = slope_x[:, 1]
    slope_x /= cell_m
    # In place from here on: fresh arrays for each step took twice the time.
    surface2 = np.square(slope_x)
    surface2 += 1
    if len(height_PX) > 2:
        slope_y = height_PX[2:] - height_PX[:-2]
        slope_y /= 2 * ping_spacing_m
        surface2[1:-1] += np.square(slope_y, out=slope_y)
    slant = np.square(down)
    slant += range_X * range_X
    np.sqrt(slant, out=slant)
    facing = slope_x
    facing *= range_X
    facing += down
    np.maximum(facing, 0, out=facing)
    facing /= slant
    cos2 = np.square(facing, out=facing)
    cos2 /= surface2
    energy = np.sqrt(surface2, out=surface2)
    energy *= cos2
    energy *= reflectivity_PX
    if not np.isscalar(gloss_PX) and np.any(gloss_PX):
        cos8 = np.square(np.square(cos2))
        energy *= 1 + gloss_PX * cos8 * cos8
    energy *= lit
    return Echo(energy_PX=energy, slant_PX=slant, lit_PX=lit)


def collect(echo: Echo, *, first_m: float, sample_m: float, samples: int) -> Field:
    """Sum the energies of all cells that arrive in the same sample, (P, S).

    Sample k holds slant ranges from first_m + k * sample_m. Half of a cell's energy is placed midway to its
    nearer neighbour, so that a steep face spreads over the samples that it spans (layover).
    """
    pings = len(echo.slant_PX)
    index = (echo.slant_PX - first_m) * np.float32(1 / sample_m)
    between = index.copy()
    between[:, 1:] += index[:, :-1]
    between[:, 1:] *= 0.5
    row = (np.arange(pings) * (samples + 1))[:, None]
    # What bincount works in: given float32 and int32 it would convert them for each of the two sums.
    energy = echo.energy_PX.ravel().astype(np.float64)
    total = np.zeros(pings * (samples + 1))
    for place in (index, between):
        np.floor(place, out=place)
        # Both ends overflow into the spare sample of their row.
        place[(place < 0) | (place >= samples)] = samples
        whole = place.astype(np.intp)
        whole += row
        total += np.bincount(whole.ravel(), weights=energy, minlength=len(total))
    return (total.reshape(pings, samples + 1)[:, :samples] * 0.5).astype(np.float32)


def flat_echo(*, range_X: Field, altitude_P: Field) -> Echo:
    """The echo of an empty level bottom: what a perfect gain would be set to."""
    return illuminate(
        height_PX=np.zeros((len(altitude_P), len(range_X)), np.float32),
        reflectivity_PX=1.0,
        gloss_PX=0.0,
        range_X=range_X,
        altitude_P=altitude_P,
        ping_spacing_m=1.0,
    )
