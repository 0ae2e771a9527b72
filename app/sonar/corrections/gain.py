"""Even brightness: what range, beam and gain settings did to the picture is taken out.

Shape suffixes: R rows, W columns, G groups of rows.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

LOCAL_MEAN = 95.0
"""Brightness of an undisturbed bottom in the result; speckle leaves room up to 255 above it."""
GROUP_ROWS = 16
"""Rows averaged before the trend is estimated, for speed: the trend changes over hundreds of rows."""
TREND_GROUPS, TREND_COLUMNS = 33, 17
"""Window of the across-track trend: long enough that a wreck of a hundred pings does not become the trend."""
BRIGHT_LIMIT = 2.0
"""Values above this multiple of the trend count as this multiple: targets must not darken what is around them."""
FADE_GROUPS = 16
"""Groups over which a block goes over from the trend of the block before to its own."""
LEVEL_COLUMNS = 8
"""Columns averaged before the median of a row: the median of single samples is mostly speckle."""
LEVEL_ROWS = 33
"""A row's level is brought to the running median over so many rows."""
CHUNK_ROWS = 128
"""Rows multiplied at once: their factors stay in the processor's cache (measured, 64 to 128 are equal)."""
Rows = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class GainState:
    """What a block hands to the next of the same side, so that no seam shows between them."""

    trend_W: Rows
    """Brightness that the last rows were divided by; 0 where nothing was recorded."""
    levels: Rows
    """Medians of the last rows."""


def normalise_gain(image_RW: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Divide by the across-track trend and by each ping's own gain.

    Args:
        image_RW: (R, W) any depth, one side, column 0 nearest. Some hundred rows give a steady trend. What is 0
            through a group of rows counts as not recorded and does not pull the trend down.

    Returns:
        (R, W) uint8; where nothing was recorded it stays 0.
    """
    return normalise_gain_after(image_RW, None)[0]


def normalise_gain_after(
    image_RW: NDArray[np.generic], before: GainState | None
) -> tuple[NDArray[np.uint8], GainState | None]:
    """`normalise_gain` for a block that follows another without a seam.

    Args:
        before: what the block before returned; None, or of another width, for the first.

    Returns:
        The picture, and the state for the next block (None after a block without rows).
    """
    rows, width = image_RW.shape
    if rows == 0 or width == 0:
        return np.zeros((rows, width), dtype=np.uint8), before
    if before is not None and len(before.trend_W) != width:
        before = None
    image = image_RW if image_RW.dtype in (np.uint8, np.uint16, np.float32) else image_RW.astype(np.float32)
    trend_GW = _faded(_trend(_group_means(image)), before)
    least = 1e-6 * float(trend_GW.max())
    inverse_GW = np.where(trend_GW > least, LOCAL_MEAN / np.maximum(trend_GW, max(least, 1e-9)), 0.0)
    inverse_GW = inverse_GW.astype(np.float32)
    levels = _levels(image, inverse_GW)
    told = levels if before is None else np.concatenate([before.levels, levels])
    factors = _row_factors(told)[-rows:]
    out = np.empty((rows, width), dtype=np.uint8)
    for start in range(0, rows, CHUNK_ROWS):
        chunk = slice(start, min(start + CHUNK_ROWS, rows))
        multiplier = _between_groups(inverse_GW, chunk, factors[chunk])
        cv2.multiply(image[chunk], multiplier, dst=out[chunk], dtype=cv2.CV_8U)
    return out, GainState(trend_W=trend_GW[-1], levels=told[-LEVEL_ROWS:])


def _group_means(image: NDArray[np.generic]) -> Rows:
    """(G, W) means of `GROUP_ROWS` rows; the last group may have fewer."""
    rows, width = image.shape
    whole = rows // GROUP_ROWS
    means = np.empty((-(-rows // GROUP_ROWS), width), dtype=np.float32)
    if whole:
        groups = image[: whole * GROUP_ROWS].reshape(whole, GROUP_ROWS, width)
        groups.mean(1, dtype=np.float32, out=means[:whole])
    if whole < len(means):
        image[whole * GROUP_ROWS :].mean(0, dtype=np.float32, out=means[whole])
    return means


def _trend(means_GW: Rows) -> Rows:
    """Mean over a tall window of what was recorded, robust to bright spots; 0 where nothing was."""
    recorded = (means_GW > 0).astype(np.float32)
    window = (TREND_COLUMNS, max(1, min(TREND_GROUPS, 2 * len(means_GW) - 1)))
    share = cv2.blur(recorded, window, borderType=cv2.BORDER_REFLECT)
    weight = np.where(share > 1e-6, 1 / np.maximum(share, 1e-6), 0.0).astype(np.float32)
    trend = cv2.blur(means_GW, window, borderType=cv2.BORDER_REFLECT) * weight
    for _ in range(2):
        limited = np.minimum(means_GW, BRIGHT_LIMIT * trend)
        trend = cv2.blur(limited, window, borderType=cv2.BORDER_REFLECT) * weight
    return np.asarray(trend, dtype=np.float32)


def _faded(trend_GW: Rows, before: GainState | None) -> Rows:
    """Begin with the last trend of the block before, where both know one."""
    if before is None:
        return trend_GW
    own = np.minimum((np.arange(len(trend_GW), dtype=np.float32) + 0.5) / FADE_GROUPS, 1.0)[:, None]
    mixed = own * trend_GW + (1 - own) * before.trend_W
    return np.where((before.trend_W > 0) & (trend_GW > 0), mixed, trend_GW)


def _levels(image: NDArray[np.generic], inverse_GW: Rows) -> Rows:
    """(R,) median of each row after the trend; blind to targets and shadows. 0 for an empty row."""
    rows, width = image.shape
    size = (max(1, width // LEVEL_COLUMNS), rows)
    cells = np.empty(size[::-1], dtype=np.float32)
    for start in range(0, rows, CHUNK_ROWS):
        chunk = np.asarray(image[start : start + CHUNK_ROWS], dtype=np.float32)
        cells[start : start + CHUNK_ROWS] = cv2.resize(
            chunk, (size[0], len(chunk)), interpolation=cv2.INTER_AREA
        )
    inverse = cv2.resize(inverse_GW, (size[0], len(inverse_GW)), interpolation=cv2.INTER_AREA)
    group = np.minimum(np.arange(rows) // GROUP_ROWS, len(inverse) - 1)
    cells *= inverse[group]
    cells.sort(axis=1)
    empty = (cells <= 0).sum(1)
    middle = np.minimum((empty + size[0]) // 2, size[0] - 1)
    return np.asarray(cells[np.arange(rows), middle], dtype=np.float32)


def _row_factors(levels: Rows) -> Rows:
    """Factor that brings each row to the running median.

    Bounded, so that a dropout stays dark instead of becoming amplified noise.
    """
    padded = np.pad(levels, LEVEL_ROWS // 2, mode="symmetric")
    usual = np.sort(sliding_window_view(padded, LEVEL_ROWS), axis=1)[:, LEVEL_ROWS // 2]
    return np.clip(usual / np.maximum(levels, 1e-3), 0.5, 2.0).astype(np.float32)


def _between_groups(inverse_GW: Rows, rows: slice, factors: Rows) -> Rows:
    """(rows, W) linear interpolation between the groups' centres, times each row's factor, as one product."""
    place = np.clip((np.arange(rows.start, rows.stop) + 0.5) / GROUP_ROWS - 0.5, 0, len(inverse_GW) - 1)
    lower = np.minimum(place.astype(np.int64), max(0, len(inverse_GW) - 2))
    first, last = int(lower[0]), min(int(lower[-1]) + 2, len(inverse_GW))
    weights = np.zeros((len(place), last - first), dtype=np.float32)
    index, share = np.arange(len(place)), (place - lower).astype(np.float32)
    weights[index, lower - first] = (1 - share) * factors
    if last - first > 1:
        weights[index, lower - first + 1] += share * factors
    return np.asarray(weights @ inverse_GW[first:last], dtype=np.float32)
