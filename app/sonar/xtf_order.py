"""Which end of a port ping is nearest: XTF has no field for it.

By convention port samples run from far to near, as on the paper of a recorder, and starboard from near to far; some
converters store both from near to far. Neither the channel's type nor its flags tell.
"""

import numpy as np
from numpy.typing import NDArray

BINS = 96
LEAST_DIFFERENCE = 0.4
"""By how much port must resemble starboard more as stored than mirrored, to leave the convention. On recordings by
the convention the difference is below 0."""
DARK_SHARE = 0.3
"""Without starboard: the water column is darker than this part of the typical brightness."""


def is_near_first(port_PS: NDArray[np.generic], starboard_PS: NDArray[np.generic] | None) -> bool:
    """Whether port pings, as stored, begin next to the towfish; False (the convention) in doubt.

    Args:
        port_PS: some hundred pings as stored.
        starboard_PS: the same pings, nearest sample first; None where only port was recorded.
    """
    if min(port_PS.shape) == 0 or port_PS.shape[1] < BINS:
        return False
    port = _profile(port_PS)
    if starboard_PS is not None and min(starboard_PS.shape) > 0 and starboard_PS.shape[1] >= BINS:
        starboard = _profile(starboard_PS)
        return _likeness(port, starboard) - _likeness(port[::-1], starboard) > LEAST_DIFFERENCE
    # The nearest bins are left out: the transmit pulse rings there.
    left, right = float(np.median(port[2:6])), float(np.median(port[-6:-2]))
    typical = float(np.median(port))
    return bool(np.expm1(left) < DARK_SHARE * min(np.expm1(right), np.expm1(typical)))


def _profile(side_PS: NDArray[np.generic]) -> NDArray[np.float64]:
    """Logarithm of the mean brightness in `BINS` equal stretches of the range."""
    per_bin = side_PS.shape[1] // BINS
    mean_S = side_PS[:, : per_bin * BINS].mean(0, dtype=np.float64)
    mean_S = np.nan_to_num(mean_S, posinf=0.0, neginf=0.0)
    return np.asarray(np.log1p(np.maximum(mean_S.reshape(BINS, per_bin).mean(1), 0.0)), dtype=np.float64)


def _likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation; 0 where either is flat."""
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / norm if norm > 0 else 0.0
