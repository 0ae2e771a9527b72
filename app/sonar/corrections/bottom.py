"""How high the towfish flies: from the file, else from the first strong return in the data."""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.sonar.waterfall import Floats, Side, Waterfall

BINS = 512
"""Range bins that the search looks at."""
PINGS_TOGETHER = 4
EDGE_BINS = 8
"""Bins compared before and after a candidate."""
BLIND_SHARE = 0.015
"""Nearest part of the range that is not looked at: the transmit pulse rings there."""
JUMP_BINS = 3
"""Most that the bottom moves from one group of pings to the next."""
MOVE_COST = 0.02
CLEAR_STEP = 8.0
"""A step from dark to bright by this factor is as good as any larger one: the end of a black shadow is a larger
one than the bottom behind noisy water."""
LEAST_CONTRAST = 0.35
"""Mean logarithmic step below which there is no bottom to be seen (a factor of about 1.4)."""
CLEAR_CONTRAST = 1.0
FILE_ERROR = 0.08
"""Where the data shows the bottom clearly and the file is off by more than this part, the data is believed."""
FILE_SHARE = 0.5
"""Part of the pings whose altitude must be set for the file to be believed."""


def choose_altitude(waterfall: Waterfall) -> tuple[Floats, str]:
    """Altitude of every ping in metres, and where it is from: `file`, `data` or `none`.

    With `none` all are 0: the picture keeps its water column. Single gaps stay NaN.
    """
    told = waterfall.navigation.altitude_m
    tracked, contrast = _track(waterfall)
    if told is not None and len(told) and np.isfinite(told).mean() >= FILE_SHARE:
        # An altitude of 0 throughout says that the recorder already removed the water column: nothing to compare.
        both = np.isfinite(told) & np.isfinite(tracked) & (told > 0)
        off = float(np.median(np.abs(told - tracked)[both] / told[both])) if both.any() else 0.0
        if off <= FILE_ERROR or contrast < CLEAR_CONTRAST:
            return told, "file"
    if np.isfinite(tracked).any():
        return tracked, "data"
    return np.zeros(waterfall.pings), "none"


def track_bottom(waterfall: Waterfall) -> Floats:
    """Altitude (P,) in metres from the intensities; NaN where no bottom is to be seen.

    The path of the strongest dark-to-bright step through the pings, found by dynamic programming, so that a fish
    or a dropout does not pull it away.
    """
    return _track(waterfall)[0]


def _track(waterfall: Waterfall) -> tuple[Floats, float]:
    """Altitude (P,) and the median contrast along the path."""
    picture = _both_sides(waterfall)
    pings = waterfall.pings
    nothing = np.full(pings, np.nan)
    if picture is None or pings == 0 or not np.isfinite(waterfall.slant_range_m).any():
        return nothing, 0.0
    step = _step_strength(picture)
    path = _best_path(step)
    contrast = float(np.median(step[np.arange(len(path)), path]))
    if contrast < LEAST_CONTRAST:
        return nothing, contrast
    rows = (np.arange(len(path)) + 0.5) * (pings / len(path)) - 0.5
    edges = cv2.blur(_half_way_up(picture, path)[:, None], (1, 5))[:, 0]
    altitude_m: Floats = np.interp(np.arange(pings), rows, edges) / picture.shape[1] * waterfall.slant_range_m
    return altitude_m, contrast


def _both_sides(waterfall: Waterfall) -> NDArray[np.float32] | None:
    """Mean of the sides, decimated; the bottom below the towfish returns to both at once."""
    total: NDArray[np.float32] | None = None
    for side in Side:
        raw_PS = waterfall.side(side)
        if raw_PS is None or raw_PS.shape[1] < 4 * EDGE_BINS:
            continue
        size = (min(BINS, raw_PS.shape[1]), max(1, waterfall.pings // PINGS_TOGETHER))
        source = raw_PS if raw_PS.dtype in (np.uint8, np.uint16, np.float32) else raw_PS.astype(np.float32)
        small = cv2.resize(np.ascontiguousarray(source), size, interpolation=cv2.INTER_AREA).astype(
            np.float32
        )
        small /= max(float(small.mean()), 1e-6)
        total = small if total is None else total + small
    return total


def _step_strength(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm of brightness after over brightness before each bin; -1 where it cannot be the bottom."""
    smooth = cv2.blur(picture, (1, 5))
    level = np.float32(0.02 * float(smooth.mean()))
    columns = picture.shape[1]
    sums = np.zeros((len(picture), columns + 1), dtype=np.float32)
    np.cumsum(smooth, axis=1, out=sums[:, 1:])
    inside = slice(EDGE_BINS, columns - EDGE_BINS)
    here = sums[:, inside]
    per_bin = np.float32(1 / EDGE_BINS)
    after = (sums[:, 2 * EDGE_BINS : columns] - here) * per_bin + level
    before = (here - sums[:, : columns - 2 * EDGE_BINS]) * per_bin + level
    # The first return is preceded by water all the way: a step behind a bright stretch is a target.
    so_far = here / np.arange(EDGE_BINS, columns - EDGE_BINS, dtype=np.float32)
    strength = np.full(picture.shape, -1.0, dtype=np.float32)
    clear = np.minimum(after / before, CLEAR_STEP)
    strength[:, inside] = np.log(clear * after / (after + so_far))
    strength[:, : int(BLIND_SHARE * picture.shape[1]) + 1] = -1.0
    return strength


def _half_way_up(picture: NDArray[np.float32], path: NDArray[np.int64]) -> NDArray[np.float32]:
    """Where, near the path, the brightness crosses half of the bottom's, in parts of a bin from the first bin's edge.

    The strongest ratio lies a bin or two before the step: a little bottom among the water spoils it at once.
    """
    columns = picture.shape[1]
    at = np.clip(path[:, None] + np.arange(-3, EDGE_BINS), 0, columns - 1)
    near = np.take_along_axis(cv2.blur(picture, (1, 5)), at, axis=1)
    half = near[:, EDGE_BINS // 2 + 1 :].mean(1, keepdims=True) / 2
    above = near >= half
    first = np.where(above.any(1), above.argmax(1), 3)
    rows = np.arange(len(path))
    low, high = near[rows, np.maximum(first - 1, 0)], near[rows, first]
    share = np.where(high > low, (half[:, 0] - low) / np.maximum(high - low, 1e-9), 0.0)
    share = np.where(first > 0, np.clip(share, 0, 1), 1.0)
    return np.asarray(at[rows, first] + share - 0.5, dtype=np.float32)


def _best_path(strength: NDArray[np.float32]) -> NDArray[np.int64]:
    """Column per row with the largest sum, moving at most `JUMP_BINS` from row to row."""
    rows, columns = strength.shape
    padded = np.full(columns + 2 * JUMP_BINS, -1e9, dtype=np.float32)
    moves = sliding_window_view(padded, columns)
    cost = (MOVE_COST * np.abs(np.arange(-JUMP_BINS, JUMP_BINS + 1)))[:, None].astype(np.float32)
    sums = np.empty_like(strength)
    sums[0] = strength[0]
    for row in range(1, rows):
        padded[JUMP_BINS:-JUMP_BINS] = sums[row - 1]
        np.add((moves - cost).max(0), strength[row], out=sums[row])
    # The moves are found again on the way back, one cell a row: keeping them costs more than the whole way forth.
    path = np.zeros(rows, dtype=np.int64)
    path[-1] = int(sums[-1].argmax())
    for row in range(rows - 1, 0, -1):
        padded[JUMP_BINS:-JUMP_BINS] = sums[row - 1]
        path[row - 1] = path[row] + int((moves[:, path[row]] - cost[:, 0]).argmax()) - JUMP_BINS
    return path
