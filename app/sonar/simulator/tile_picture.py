"""From the energy of an echo to a tile's grey values, as corrected waterfalls show them.

Shape suffixes: P pings (tile rows), X ground cells, S slant samples.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.degrade import drop_pings, fish, interfere, row_gain, smooth, sparkle, speckle
from app.sonar.simulator.raytrace import Echo, collect, flat_echo
from app.sonar.simulator.textures import Field
from app.sonar.simulator.tile_view import View


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What has been done to a recording before it became a tile, and how much the water added."""

    smoothed: float
    """Share of tiles that have been averaged and scaled."""
    sigma_px: tuple[float, float]
    """Range of the width of that."""
    floor: tuple[float, float]
    """Range of the noise in shadows, energy against that of the bottom."""
    ramp_log: float
    """Deviation of the brightness from one side to the other."""


SURVEY = Look(smoothed=0.12, sigma_px=(0.3, 1.2), floor=(0.004, 0.25), ramp_log=0.2)
"""Lines that are looked through for small targets: real ones have about 2 looks and 1 px of correlation. Volume
scattering and echoes by way of the surface make shadows in rivers and harbours grey rather than black."""
PUBLISHED = Look(smoothed=0.75, sigma_px=(0.5, 3.0), floor=(0.001, 0.1), ramp_log=0.45)
"""Pictures of wrecks are mostly mosaics and screen copies: the variation of 7 looks and 2 to 4 px of correlation,
with black shadows."""


def picture(
    rng: np.random.Generator, view: View, echo: Echo, range_X: Field, look: Look = SURVEY
) -> NDArray[np.uint8]:
    """Energy to grey values: samples, beam, speckle, correction to ground range, gain, display."""
    believed = view.column_slants_m()
    first_m = float(min(believed[0], np.hypot(range_X[0], view.altitude_m))) - 2 * view.sample_m
    # Where a pixel is a sample its middle falls on a sample's, so that nothing is interpolated.
    whole = np.ceil((float(believed[0]) - first_m) / view.sample_m) + 0.5
    first_m = float(believed[0]) - float(whole) * view.sample_m
    samples = min(int((believed[-1] - first_m) / view.sample_m) + 3, 4 * view.size_px)
    flat = flat_echo(range_X=range_X, altitude_P=np.full(1, view.altitude_m, np.float32))
    reference = collect(flat, first_m=first_m, sample_m=view.sample_m, samples=samples)[0]
    energy = collect(echo, first_m=first_m, sample_m=view.sample_m, samples=samples) / _filled(reference)
    # Receivers saturate, and steep smooth faces throw most of their energy past the sonar.
    limit = np.float32(np.exp(rng.uniform(np.log(6), np.log(60))))
    energy = energy / (1 + energy / limit)
    return _developed(rng, view, energy, believed, first_m, look)


def _filled(reference_S: Field) -> Field:
    """The level bottom's energy per sample, its first real value also standing where nothing can arrive."""
    filled = reference_S.copy()
    real = np.flatnonzero(filled > 0)
    filled[: real[0]] = filled[real[0]]
    return np.where(filled > 0, filled, filled[real].min()).astype(np.float32)


def _developed(
    rng: np.random.Generator, view: View, energy: Field, believed: Field, first_m: float, look: Look
) -> NDArray[np.uint8]:
    """Beam, speckle and noise in slant range, then what correction and display make of it."""
    pings, samples = energy.shape
    slant_mid = float(believed[len(believed) // 2])
    beam_px = float(np.deg2rad(rng.uniform(0.15, 0.9))) * slant_mid / view.ping_spacing_m / 2.35
    if rng.random() < 0.7:
        density = float(np.exp(rng.uniform(np.log(2e-4), np.log(2e-2))))
        sparkle(rng, energy, density=density, strength=float(np.exp(rng.uniform(np.log(4), np.log(80)))))
    energy = smooth(energy, (min(beam_px, 2.2), float(rng.uniform(0, 0.7))))
    looks = int(rng.choice((1, 2, 3, 4), p=(0.62, 0.24, 0.09, 0.05)))
    energy = energy * speckle(
        rng, energy.shape, looks=looks, sigma_px=(float(rng.uniform(0, 0.8)), float(rng.uniform(0, 0.45)))
    )
    slant = first_m + (np.arange(samples, dtype=np.float32) + 0.5) * view.sample_m
    energy = energy + _water(rng, view, energy.shape, slant, look)
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
    return _displayed(rng, np.asarray(image, dtype=np.float32), look)


def _water(rng: np.random.Generator, view: View, shape: tuple[int, int], slant: Field, look: Look) -> Field:
    """Noise that fills shadows and the water column, with surface and second bottom returns now and then."""
    floor = float(np.exp(rng.uniform(*np.log(look.floor))))
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


def _displayed(rng: np.random.Generator, image: Field, look: Look) -> NDArray[np.uint8]:
    """Gain and contrast: a level of about 90 of 255 as our corrections leave it, or darker as others do."""
    width = image.shape[1]
    if rng.random() < look.smoothed:
        sigma = float(np.exp(rng.uniform(*np.log(look.sigma_px))))
        image = smooth(image, (sigma, sigma * float(rng.uniform(0.6, 1.4))))
    if rng.random() < 0.5:
        # Column normalisation, as gain correction does it, on the picture itself.
        column = cv2.GaussianBlur(np.median(image[::4], 0)[None], (0, 0), width / 16)
        image = image / np.maximum(column, 0.3 * float(column.mean()) + 1e-6)
    ramp = np.exp(np.linspace(-1, 1, width, dtype=np.float32) * np.float32(rng.normal(0, look.ramp_log)))
    image = image * ramp[None]
    typical, spread = (90, 0.3) if rng.random() < 0.5 else (55, 0.5)
    level = float(np.clip(np.exp(rng.normal(np.log(typical), spread)), 18, 180))
    middle = float(np.median(image[::4, ::4])) + 0.15 * float(image.mean()) + 1e-6
    return np.asarray(np.clip(image * (level / middle), 0, 255), dtype=np.uint8)
