"""Where the picture shows a placed object: the box that a careful labeller would draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.sonar.simulator.raytrace import Echo
from app.sonar.simulator.shape import TARGET

SHADOW_SHARE = 0.15
"""A target's box takes in this much of its shadow at most, as a share of the object's longer side: boxes around real
small targets hold almost no shadow (2 % of their area)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """An object in rows and slant metres."""

    first_row: float
    last_row: float
    near_slant_m: float
    far_slant_m: float
    """Far end of the box."""
    shadow_end_slant_m: float
    """Where the shadow ends, at its longest."""
    lit_rows: NDArray[np.int64]
    lit_slants_m: NDArray[np.floating]
    """Row and slant range of every lit cell of the object."""

    @property
    def lit_cells(self) -> int:
        """How many there are."""
        return len(self.lit_rows)


def see(
    echo: Echo, owner_PX: NDArray[np.int16], index: int, label: str, ping_spacing_m: float
) -> Seen | None:
    """The lit part of object `index`; None where nothing of it is lit.

    A target's box holds highlight and the near part of the shadow; a ship's or an aircraft's holds the
    hull, whose shadow may be several times its size.
    """
    rows_hit, columns_hit = np.nonzero(owner_PX == index)
    if not len(rows_hit):
        return None
    first, last = int(rows_hit.min()), int(rows_hit.max()) + 1
    left, right = int(columns_hit.min()), int(columns_hit.max()) + 1
    mine = (owner_PX[first:last, left:right] == index) & echo.lit_PX[first:last, left:right]
    rows = np.nonzero(mine)[0]
    if not len(rows):
        return None
    slant = echo.slant_PX[first:last, left:right][mine]
    # A mast or a spike of a few cells does not stretch the box.
    trim = 0 if label == TARGET else 0.4
    near, far = np.percentile(slant, (trim, 100 - trim))
    top, bottom = np.percentile(rows, (trim, 100 - trim))
    shadow_end = _shadow_end(echo, first, last, right)
    if label == TARGET:
        longest_m = max(far - near, (bottom - top) * ping_spacing_m)
        far_edge = max(far, min(shadow_end, far + SHADOW_SHARE * longest_m))
    else:
        far_edge = far
    return Seen(
        first_row=first + float(top),
        last_row=first + float(bottom) + 1,
        near_slant_m=float(near),
        far_slant_m=float(far_edge),
        shadow_end_slant_m=float(max(shadow_end, far)),
        lit_rows=first + rows,
        lit_slants_m=slant,
    )


def _shadow_end(echo: Echo, first: int, last: int, right: int) -> float:
    """Slant range of the first lit cell behind the object, the farthest of its rows."""
    behind = echo.lit_PX[first:last, right:]
    if not behind.shape[1]:
        return float(echo.slant_PX[first:last, -1].max())
    steps = np.where(behind.any(1), behind.argmax(1), behind.shape[1] - 1)
    row = int(steps.argmax())
    return float(echo.slant_PX[first + row, right + int(steps[row])])
