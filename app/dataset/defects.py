"""Collecting every defect of a data set before saying anything."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from pathlib import Path

import numpy as np

from app.dataset.images import ImageFacts
from app.dataset.tiles import LabelledTile
from app.errors import DatasetError

OUTSIDE_TOLERANCE = 0.01
"""Part of the image by which a box may stick out through rounding; it is clipped."""
LEAST_SIDE_PX = 0.01


class Defect(StrEnum):
    """What can be wrong with a file, as counted in the message."""

    MISSING_LABELS = "missing label file"
    MISSING_IMAGE = "labels without image"
    UNREADABLE = "unreadable image"
    LISTED_TWICE = "image listed more than once"
    MALFORMED = "malformed label"
    NOT_A_NUMBER = "coordinate not a number"
    OUTSIDE = "box outside the image"
    NO_AREA = "box without area"
    UNKNOWN_CLASS = "unknown class"


@dataclass(slots=True)
class Defects:
    """One line a defect, each beginning with its file."""

    root: Path
    lines: list[str] = field(default_factory=list)
    kinds: Counter[Defect] = field(default_factory=Counter)

    def add(self, path: Path, kind: Defect, detail: str = "") -> None:
        """Note a defect of `path`."""
        name = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        self.lines.append(f"{name}: {kind}" + (f", {detail}" if detail else ""))
        self.kinds[kind] += 1

    def raise_if_any(self) -> None:
        """Raise all of them as one error.

        Raises:
            DatasetError: there are any; its `defects` holds all lines.
        """
        if not self.lines:
            return
        counts = ", ".join(f"{count} x {kind}" for kind, count in self.kinds.most_common())
        raise DatasetError(
            f"{self.root} has {len(self.lines)} defects ({counts}), such as {self.lines[0]}; "
            "mend them, or go on without those files with --skip-bad",
            tuple(self.lines),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RawBox:
    """A box as a label file gives it, unchecked."""

    place: str
    """Where in the label file, such as `line 3`."""
    label: int
    xyxy_px: tuple[float, float, float, float]


def checked_tile(
    path: Path,
    facts: ImageFacts,
    boxes: Sequence[RawBox],
    *,
    label_file: Path,
    class_count: int,
    defects: Defects,
) -> LabelledTile | None:
    """A tile whose boxes are inside, not empty and of known classes; None after noting all that is wrong.

    Boxes that stick out by rounding are clipped.
    """
    before = len(defects.lines)
    for box in boxes:
        _check(box, facts, label_file, class_count, defects)
    if len(defects.lines) > before:
        return None
    limit = np.array([facts.width_px, facts.height_px] * 2, dtype=np.float32)
    corners = np.array([box.xyxy_px for box in boxes], dtype=np.float32).reshape(-1, 4)
    return LabelledTile(
        path=path,
        height_px=facts.height_px,
        width_px=facts.width_px,
        boxes_xyxy_px=np.clip(corners, 0, limit),
        labels=np.array([box.label for box in boxes], dtype=np.int64),
        fingerprint=facts.fingerprint,
    )


def _check(box: RawBox, facts: ImageFacts, label_file: Path, class_count: int, defects: Defects) -> None:
    if not 0 <= box.label < class_count:
        known = f"the set names {class_count}, 0 to {class_count - 1}"
        defects.add(label_file, Defect.UNKNOWN_CLASS, f"{box.place}: {box.label} ({known})")
    if not all(isfinite(v) for v in box.xyxy_px):
        defects.add(label_file, Defect.NOT_A_NUMBER, box.place)
        return
    left, top, right, bottom = box.xyxy_px
    slack_x, slack_y = OUTSIDE_TOLERANCE * facts.width_px, OUTSIDE_TOLERANCE * facts.height_px
    rounded = ", ".join(f"{v:.1f}" for v in box.xyxy_px)
    if (
        min(left, right) < -slack_x
        or max(left, right) > facts.width_px + slack_x
        or min(top, bottom) < -slack_y
        or max(top, bottom) > facts.height_px + slack_y
    ):
        size = f"{facts.width_px} x {facts.height_px}"
        defects.add(label_file, Defect.OUTSIDE, f"{box.place}: ({rounded}) in {size} pixels")
    elif (
        min(right, facts.width_px) - max(left, 0) < LEAST_SIDE_PX
        or min(bottom, facts.height_px) - max(top, 0) < LEAST_SIDE_PX
    ):
        defects.add(label_file, Defect.NO_AREA, f"{box.place}: ({rounded})")
