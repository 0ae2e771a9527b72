"""What the sonar and the water add: speckle, beam width, banding, dropouts, interference.

Shape suffixes: P pings, S samples.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.textures import Field


def speckle(
    rng: np.random.Generator, shape: tuple[int, int], *, looks: int, sigma_px: tuple[float, float]
) -> Field:
    """Multiplicative intensity noise of mean 1: |complex Gaussian|^2, averaged over `looks`.

    `sigma_px` (along, across) is the width over which neighbours share their scatterers; 0 for none.
    One look and no overlap give Rayleigh distributed amplitudes.
    """
    total = np.zeros(shape, np.float32)
    for _ in range(looks):
        for _ in range(2):
            field = rng.standard_normal(shape, dtype=np.float32)
            field = smooth(field, sigma_px)
            total += field * field
    return total / np.float32(total.mean())


def smooth(image: Field, sigma_px: tuple[float, float]) -> Field:
    """Gaussian blur with its own width along and across; widths under 0.2 do nothing."""
    along, across = sigma_px
    if along < 0.2 and across < 0.2:
        return image
    # Sigma 0 means "choose from the size" to OpenCV: a size of 1 switches that axis off.
    size = tuple(1 if sigma < 0.2 else 2 * int(np.ceil(2.5 * sigma)) + 1 for sigma in (across, along))
    blurred = cv2.GaussianBlur(image, size, sigmaX=max(across, 0.01), sigmaY=max(along, 0.01))
    return np.asarray(blurred, dtype=np.float32)


def sparkle(rng: np.random.Generator, energy_PS: Field, *, density: float, strength: float) -> None:
    """Single scatterers far stronger than the bottom in place: shells, gravel, debris smaller than a sample.

    They give backscatter its heavy tail (K-distributed amplitudes, Jakeman & Pusey 1976). What lies in shadow stays
    dark, because they only strengthen what comes back. `density` is scatterers per sample; a few more lie in
    heaps, which look like a small target and are none.
    """
    count = int(rng.poisson(density * energy_PS.size))
    places = [rng.uniform(0, energy_PS.shape, (count, 2))]
    for _ in range(int(rng.integers(0, 7))):
        centre, size = rng.uniform(0, energy_PS.shape), np.exp(rng.uniform(np.log(1), np.log(9), 2))
        places.append(rng.normal(centre, size, (int(rng.integers(3, 40)), 2)))
    rows, columns = np.concatenate(places).astype(int).T
    inside = (rows >= 0) & (rows < energy_PS.shape[0]) & (columns >= 0) & (columns < energy_PS.shape[1])
    rows, columns = rows[inside], columns[inside]
    count = len(rows)
    energy_PS[rows, columns] *= 1 + np.float32(strength) * rng.standard_exponential(count, dtype=np.float32)


def furniture(rng: np.random.Generator, image: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """What a display draws over the picture in place: a scale with its number, upright or turned.

    Returns the rectangle left, top, right, bottom that it covers; None where it does not fit.
    """
    text = f"{int(rng.choice((5, 10, 20, 25, 50)))} {rng.choice(('M', 'm'))}"
    scale = float(rng.uniform(0.35, 0.6))
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    label = np.zeros((height + base + 4, width + 6), np.uint8)
    cv2.putText(label, text, (3, height + 2), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1)
    if rng.random() < 0.6:
        label = np.ascontiguousarray(np.rot90(label))
    high, wide = label.shape
    if high + 2 >= image.shape[0] or wide + 2 >= image.shape[1]:
        return None
    top, left = int(rng.integers(0, image.shape[0] - high)), int(rng.integers(0, image.shape[1] - wide))
    image[top : top + high, left : left + wide] = label
    return left, top, left + wide, top + high


def row_gain(rng: np.random.Generator, pings: int, *, strength: float) -> Field:
    """Gain error per ping, (P, 1), mean about 1: slow drift, single rows, now and then a step."""
    slow = cv2.resize(rng.standard_normal((max(2, pings // 24), 1)).astype(np.float32), (1, pings))
    gain = 0.6 * slow.reshape(-1, 1) + 0.5 * rng.standard_normal((pings, 1)).astype(np.float32)
    if rng.random() < 0.2:
        gain[int(rng.integers(0, pings)) :] += np.float32(rng.normal(0, 1.5))
    return np.asarray(np.exp(gain * np.float32(strength)), dtype=np.float32)


def drop_pings(rng: np.random.Generator, image_PS: Field, *, rate: float) -> None:
    """Lose short runs of pings in place: dark, or filled with noise. `rate` is runs per ping."""
    pings = len(image_PS)
    level = float(image_PS.mean())
    for start in np.flatnonzero(rng.random(pings) < rate):
        rows = slice(int(start), int(start) + int(rng.integers(1, 4)))
        share = float(rng.choice((0.0, 0.15, 1.5)))
        image_PS[rows] = rng.rayleigh(max(share * level, 1e-6), image_PS[rows].shape)


def interfere(rng: np.random.Generator, image_PS: Field, *, strength: float) -> None:
    """Pulses of another sonar in place: dashes that march through the samples from ping to ping."""
    pings, samples = image_PS.shape
    place, step = float(rng.uniform(0, samples)), float(rng.uniform(5, 60))
    length, every = int(rng.integers(2, 12)), int(rng.integers(1, 4))
    level = float(image_PS.mean()) * strength
    for ping in range(0, pings, every):
        start = int(place + step * ping) % samples
        image_PS[ping, start : start + length] += level


def fish(rng: np.random.Generator, image_PS: Field, count: int, size_px: float) -> None:
    """A school in the water in place: bright specks, each with a faint shadow farther out."""
    pings, samples = image_PS.shape
    centre = np.array((rng.uniform(0, pings), rng.uniform(0, samples)))
    gap = float(rng.uniform(5, 60))
    level = float(image_PS.mean())
    for row, column in rng.normal(centre, size_px * 4, (count, 2)):
        size = (max(1, int(rng.normal(size_px, 1))), max(1, int(size_px / 2)))
        mask = np.zeros((2 * size[1] + 3, 2 * size[0] + 3), np.float32)
        cv2.ellipse(mask, (size[0] + 1, size[1] + 1), size, 0, 0, 360, 1.0, -1)
        _blend(image_PS, mask, int(row), int(column), level * float(rng.uniform(1.5, 5)), 0.8)
        _blend(image_PS, mask, int(row), int(column + gap), 0.0, 0.5)


def _blend(image_PS: Field, mask: Field, row: int, column: int, value: float, share: float) -> None:
    top, left = max(row, 0), max(column, 0)
    bottom = min(row + mask.shape[0], image_PS.shape[0])
    right = min(column + mask.shape[1], image_PS.shape[1])
    if top >= bottom or left >= right:
        return
    weight = mask[top - row : bottom - row, left - column : right - column] * np.float32(share)
    patch = image_PS[top:bottom, left:right]
    image_PS[top:bottom, left:right] = patch + (value - patch) * weight
