"""Pings as rows of the corrected picture: more or fewer than they are, without what is no echo.

Shape suffixes: P pings, S samples.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sonar.echoes import only_echoes


def with_rows(raw_PS: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    """(rows, S): averaged to fewer rows or interpolated to more; uint8 and uint16 stay so, all else is float32."""
    if raw_PS.dtype not in (np.uint8, np.uint16):
        raw_PS = only_echoes(raw_PS)
    if rows == len(raw_PS):
        return raw_PS
    how = cv2.INTER_AREA if rows < len(raw_PS) else cv2.INTER_LINEAR
    resized: NDArray[np.generic] = cv2.resize(
        np.ascontiguousarray(raw_PS), (raw_PS.shape[1], rows), interpolation=how
    )
    return resized
