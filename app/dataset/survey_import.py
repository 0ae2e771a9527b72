"""Labelled tiles cut from one's own surveys, where known targets lie."""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.dataset.formats.yolo_writer import NamedTile, write_named_tiles
from app.dataset.geometry import TileGeometry
from app.dataset.known_targets import KnownTarget, read_targets
from app.dataset.survey_rows import SurveyRows, survey_rows
from app.dataset.target_boxes import KEEP_VISIBLE, TargetBox, target_boxes
from app.errors import DatasetError, SonarFileError
from app.sonar.recording import Recording, open_recording
from app.sonar.waterfall import Side
from app.telemetry.progress import Progress, Silent

LEAST_DATA = 0.5
"""Part of a background tile that must have been recorded."""
TRIES = 8
"""Random places looked at for each background tile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportOptions:
    """How tiles are cut."""

    crs: str | None = None
    """Grid of recordings with projected positions, such as `EPSG:32619`."""
    range_m: float | None = None
    """Slant range where a recording does not say it."""
    pixel_m: float | None = None
    """Side of a pixel; chosen as in detection if None."""
    tile_px: int = 256
    backgrounds: int = 3
    """Tiles without target for each tile with one; as many for a line that passes none."""
    skip_bad: bool = False
    """Go on without recordings that cannot be read or placed."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Window:
    """Where a tile is cut."""

    side: Side
    left: int
    top: int


@dataclass(slots=True)
class ImportSummary:
    """What was cut; `lines` and `left_out` in the order of the files."""

    tiles: int = 0
    backgrounds: int = 0
    boxes: dict[str, int] = field(default_factory=dict)
    """By class name."""
    lines: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """A line per recording that was passed over."""
    unseen: list[str] = field(default_factory=list)
    """Places in the targets file of targets that no line passes."""


def import_survey(
    files: Sequence[Path],
    targets: Path,
    out: Path,
    *,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> ImportSummary:
    """Cut tiles from recordings where known targets lie, and background beside them, as a YOLO folder.

    Each recording is a survey line, and its tiles are one group that a split keeps together.

    Raises:
        DatasetError: the targets cannot be read, or no line passes any of them.
        SonarFileError: a recording cannot be read (without `skip_bad`).
        OutputError: `out` cannot be written; nothing is left behind.
    """
    options, progress = options or ImportOptions(), progress or Silent()
    known = read_targets(targets)
    class_names = tuple(dict.fromkeys(target.label for target in known))
    cutter = _Cutter(known, class_names, options)
    progress.start("cutting", len(files))
    write_named_tiles(cutter.lines(files, progress), out, class_names)
    progress.done()
    return cutter.summary


class _Cutter:
    """Goes through the lines once and keeps count."""

    def __init__(
        self, known: tuple[KnownTarget, ...], class_names: tuple[str, ...], options: ImportOptions
    ) -> None:
        self._known, self._class_names, self._options = known, class_names, options
        self._unseen = {target.place: target for target in known}
        self.summary = ImportSummary(boxes=dict.fromkeys(class_names, 0))

    def lines(self, files: Sequence[Path], progress: Progress) -> Iterator[NamedTile]:
        """Tiles of all recordings; ends with an error if there is no target on any."""
        for path, line in zip(files, line_names(files), strict=True):
            try:
                recording = open_recording(path, range_m=self._options.range_m)
                yield from self._line(recording, line)
            except (SonarFileError, DatasetError) as error:
                if not self._options.skip_bad:
                    raise
                self.summary.left_out.append(str(error))
            progress.advance()
        self.summary.unseen = list(self._unseen)
        if len(self._unseen) == len(self._known):
            raise DatasetError(
                f"none of the {len(self._known)} targets lies beside the track of {len(files)} recordings; "
                "check lon and lat (degrees, WGS 84), and --crs where the recording is in a grid"
            )

    def _line(self, recording: Recording, line: str) -> Iterator[NamedTile]:
        chunks = survey_rows(recording, crs=self._options.crs, pixel_m=self._options.pixel_m)
        for number, rows in enumerate(chunks):
            boxes = [box for target in self._known for box in target_boxes(rows, target)]
            for box in boxes:
                self._unseen.pop(box.target.place, None)
            # From the name, not from the place in the list: adding a file changes no other file's tiles.
            rng = np.random.default_rng([self._options.seed, zlib.crc32(line.encode()), number])
            for count, window in enumerate(self._windows(rows, boxes, rng)):
                image, inside, labels = self._cut(rows, boxes, window)
                self._note(labels)
                name = f"{line}_{window.side}_{number:03d}_{count:04d}"
                yield NamedTile(
                    name=name,
                    group=f"line:{line}",
                    image_HW=image,
                    boxes_xyxy_px=inside,
                    labels=labels,
                    geometry=TileGeometry(pixel_m=rows.pixel_m, near_m=window.left * rows.pixel_m),
                )
        self.summary.lines.append(line)

    def _note(self, labels: NDArray[np.int64]) -> None:
        self.summary.tiles += 1
        self.summary.backgrounds += len(labels) == 0
        for label in labels.tolist():
            self.summary.boxes[self._class_names[label]] += 1

    def _windows(
        self, rows: SurveyRows, boxes: list[TargetBox], rng: np.random.Generator
    ) -> Iterator[_Window]:
        """One window around each box, the box anywhere in it; then backgrounds away from all boxes."""
        tile = self._options.tile_px
        for box in boxes:
            height, width = rows.images[box.side].shape
            top = _around(box.top, box.bottom, tile, height, rng)
            left = _around(box.left, box.right, tile, width, rng)
            yield _Window(side=box.side, left=left, top=top)
        wanted = self._options.backgrounds * max(1, len(boxes))
        sides = list(rows.images)
        for _ in range(TRIES * wanted):
            if wanted == 0:
                break
            side = sides[int(rng.integers(len(sides)))]
            height, width = rows.images[side].shape
            window = _Window(
                side=side,
                left=int(rng.integers(max(1, width - tile + 1))),
                top=int(rng.integers(max(1, height - tile + 1))),
            )
            part = rows.images[side][window.top : window.top + tile, window.left : window.left + tile]
            touches = any(_visible(box, window, tile) > 0 for box in boxes)
            # Where nobody knows the position a target may lie: that is no background.
            placed = np.isfinite(rows.longitude_R[window.top : window.top + tile]).all()
            if not touches and placed and (part > 0).mean() >= LEAST_DATA:
                wanted -= 1
                yield window

    def _cut(
        self, rows: SurveyRows, boxes: list[TargetBox], window: _Window
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
        tile = self._options.tile_px
        part = rows.images[window.side][window.top : window.top + tile, window.left : window.left + tile]
        image = np.zeros((tile, tile), dtype=np.uint8)
        image[: part.shape[0], : part.shape[1]] = part
        shown = [box for box in boxes if _visible(box, window, tile) >= KEEP_VISIBLE]
        corners = np.array([(b.left, b.top, b.right, b.bottom) for b in shown], dtype=np.float32).reshape(
            -1, 4
        )
        corners -= np.array([window.left, window.top] * 2, dtype=np.float32)
        limit = np.array([part.shape[1], part.shape[0]] * 2, dtype=np.float32)
        labels = np.array([self._class_names.index(box.target.label) for box in shown], dtype=np.int64)
        return image, np.clip(corners, 0, limit), labels


def line_names(files: Sequence[Path]) -> list[str]:
    """The stem of each file; numbered where several have it. What is no UTF-8 in it, lists of tiles cannot hold."""
    names: list[str] = []
    for path in files:
        stem = os.fsencode(path.stem).decode(errors="replace")
        name, count = stem, 1
        while name in names:
            count += 1
            name = f"{stem}-{count}"
        names.append(name)
    return names


def _around(low: float, high: float, tile: int, length: int, rng: np.random.Generator) -> int:
    """Start of a tile that holds low..high anywhere in it, as far as the picture and the size allow."""
    first, last = sorted((high - tile, low))
    start = rng.uniform(first, last)
    return int(np.clip(round(start), 0, max(0, length - tile)))


def _visible(box: TargetBox, window: _Window, tile: int) -> float:
    """Part of a box that lies in a window; of one larger than a tile, the part of as much as a tile can hold.

    Else a tile full of a long wreck would hold too little of it to be labelled, and teach that nothing lies there.
    """
    if box.side is not window.side:
        return 0.0
    across = min(box.right, window.left + tile) - max(box.left, window.left)
    along = min(box.bottom, window.top + tile) - max(box.top, window.top)
    most = min(box.right - box.left, tile) * min(box.bottom - box.top, tile)
    return max(0.0, across) * max(0.0, along) / most
