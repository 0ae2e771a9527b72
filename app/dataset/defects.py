"""Collecting every defect of a data set before saying anything."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.dataset.tiles import LabelledTile
from app.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
OUTSIDE_TOLERANCE = 0.01
"""Part of the image by which a box may stick out through rounding; it is clipped."""


@dataclass(slots=True)
class Defects:
    """One line a defect, each beginning with its file."""

    root: Path
    lines: list[str] = field(default_factory=list)

    def add(self, path: Path, what: str) -> None:
        """Note a defect of `path`."""
        name = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        self.lines.append(f"{name}: {what}")

    def raise_if_any(self) -> None:
        """Raise all of them as one error."""
        if self.lines:
            more = f" and {len(self.lines) - 1} more" if len(self.lines) > 1 else ""
            raise DatasetError(
                f"{self.root} has {len(self.lines)} defects: {self.lines[0]}{more}; "
                "mend them, or go on without those files with --skip-bad",
                tuple(self.lines),
            )


def read_grey(path: Path) -> NDArray[np.uint8] | None:
    """An image as grey (H, W) uint8; None if it cannot be decoded.

    Deeper images are scaled by their own maximum of the type, so that 16-bit TIFFs keep their contrast.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    if len(data) == 0:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
    if image is None or image.size == 0:
        return None
    if image.dtype == np.uint16:
        return np.asarray(image >> 8, dtype=np.uint8)
    if image.dtype != np.uint8:
        finite = np.nan_to_num(image.astype(np.float32))
        top = max(float(finite.max()), 1e-9)
        return np.asarray(np.clip(finite / top * 255, 0, 255), dtype=np.uint8)
    return np.asarray(image, dtype=np.uint8)


def checked_tile(
    path: Path,
    size_hw: tuple[int, int],
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    class_count: int,
    defects: Defects,
) -> LabelledTile | None:
    """A tile whose boxes are inside, not empty and of known classes; None after noting what is wrong.

    Boxes that stick out by rounding are clipped.
    """
    height, width = size_hw
    before = len(defects.lines)
    if not np.isfinite(boxes).all():
        defects.add(path, "a box has a coordinate that is not a number")
    elif len(boxes):
        limit = np.array([width, height, width, height], dtype=np.float32)
        slack = OUTSIDE_TOLERANCE * limit
        if (boxes < -slack).any() or (boxes > limit + slack).any():
            worst = boxes[((boxes < -slack) | (boxes > limit + slack)).any(1)][0]
            defects.add(
                path, f"box {[round(float(v), 1) for v in worst]} lies outside the {width}x{height} image"
            )
        boxes = np.clip(boxes, 0, limit)
        if ((boxes[:, 2:] - boxes[:, :2]) <= 0).any():
            defects.add(path, "a box has no area")
    unknown = sorted({int(v) for v in labels if not 0 <= v < class_count})
    if unknown:
        defects.add(
            path, f"class {unknown} is unknown; the set names {class_count} classes, 0 to {class_count - 1}"
        )
    if len(defects.lines) > before:
        return None
    return LabelledTile(path=path, height_px=height, width_px=width, boxes_xyxy_px=boxes, labels=labels)


def boxes_array(rows: list[tuple[float, float, float, float]]) -> NDArray[np.float32]:
    """Rows of four as (n, 4); (0, 4) for none."""
    return np.asarray(rows, dtype=np.float32).reshape(-1, 4)
