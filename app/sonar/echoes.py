"""What of samples in floating point can be an echo."""

import numpy as np
from numpy.typing import NDArray

LARGEST_ECHO = 1e12
"""Larger samples are damage: one would outweigh all others in every mean."""


def only_echoes(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """As float32, with 0, which counts as not recorded, for what is negative, absurdly large or no number."""
    floats = samples.astype(np.float32)
    return np.where((floats >= 0) & (floats < LARGEST_ECHO), floats, np.float32(0))
