"""Samples of pings that were stored with different weights, brought to one scale.

Source: Triton XTF, rev. 42, `Weight` of the channel header, which EdgeTech's digital sonars set: the amplitude is the
stored sample times 2 to the power of minus the weight, and the sonar may choose another weight for each ping.
"""

import numpy as np
from numpy.typing import NDArray

WEIGHT_LIMIT = 31
"""A weight beyond this, up or down, is damage: it would move 16 bits out of any sample."""
NO_WEIGHT = -32768
"""Stands where a ping has no such channel."""
Weights = NDArray[np.int16]


def usual_weight(weights_P: Weights) -> int:
    """The weight in the middle of those that can be true; 0 where none can."""
    known = np.sort(weights_P[_can_be(weights_P)])
    return int(known[len(known) // 2]) if known.size else 0


def at_one_weight(samples_PS: NDArray[np.generic], weights_P: Weights, usual: int) -> NDArray[np.generic]:
    """Samples as if every ping had been stored with the weight `usual`.

    Returns:
        The samples as given where all have it, so that most files keep their depth; else float32 on the same scale.
    """
    steps = np.where(_can_be(weights_P), usual - weights_P.astype(np.int64), 0)
    if not steps.any():
        return samples_PS
    scaled = samples_PS.astype(np.float32)
    scaled *= np.ldexp(np.float32(1), steps)[:, None]
    return scaled


def _can_be(weights_P: Weights) -> NDArray[np.bool_]:
    return (weights_P >= -WEIGHT_LIMIT) & (weights_P <= WEIGHT_LIMIT)
