"""Any recording behind one door: what can be asked of a file, whatever its format."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.errors import SonarFileError
from app.sonar.waterfall import Waterfall

BLOCK_PINGS = 2048
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """A bad stretch that was passed over."""

    offset_bytes: int | None
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelPair:
    """Port and starboard of one frequency; a side that was not recorded is None."""

    port: int | None
    starboard: int | None
    frequency_khz: float | None

    def __str__(self) -> str:
        frequency = "unknown frequency" if self.frequency_khz is None else f"{self.frequency_khz:g} kHz"
        sides = [n for n, c in (("port", self.port), ("starboard", self.starboard)) if c is not None]
        return f"{' and '.join(sides)}, {frequency}"


class Recording(Protocol):
    """One file, read in blocks."""

    @property
    def source(self) -> str:
        """File name."""
        ...

    @property
    def channel_pairs(self) -> tuple[ChannelPair, ...]:
        """What was recorded."""
        ...

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What was passed over so far; grows while blocks are read."""
        ...

    def ping_count(self, pair: int | None = None) -> int:
        """Pings of a channel pair; None as in `blocks`."""
        ...

    def blocks(self, *, pings: int = BLOCK_PINGS, pair: int | None = None) -> Iterator[Waterfall]:
        """The pings in order, `pings` at a time (fewer in the last block).

        Args:
            pair: index into `channel_pairs`; None takes the highest frequency that has both sides.
        """
        ...


def open_recording(
    path: Path,
    *,
    range_m: float | None = None,
    ping_spacing_m: float | None = None,
    layout: str = "both",
    port_order: str = "auto",
) -> Recording:
    """Open a recording by its suffix.

    Args:
        range_m, ping_spacing_m: needed for images, which carry neither; they replace an unset range in XTF.
        layout: of images: `both` (port left, far to near; starboard right), `port`, `starboard`.
        port_order: of XTF: `far-first` (the convention), `near-first`, or `auto` (compared with starboard).

    Raises:
        SonarFileError: no such file, an unknown format, or nothing in it that can be read.
    """
    suffix = path.suffix.lower()
    if suffix != ".xtf" and suffix not in IMAGE_SUFFIXES:
        raise SonarFileError(
            f"{path.name} has no known format; give .xtf, or {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    for name, value in (("range_m", range_m), ("ping_spacing_m", ping_spacing_m)):
        if value is not None and not 0 < value < math.inf:
            raise SonarFileError(f"{name}={value} must be a length above 0, in metres; try 75 or 0.2")
    try:
        found = path.is_file()
    except OSError as error:
        raise SonarFileError(f"{path} cannot be read ({error.strerror}); check the rights") from error
    if not found:
        raise SonarFileError(f"{path} is not a file; check the path")
    if suffix == ".xtf":
        from app.sonar.xtf import XtfRecording

        return XtfRecording(path, range_m=range_m, port_order=port_order)
    from app.sonar.image_recording import ImageRecording

    return ImageRecording(path, range_m=range_m, ping_spacing_m=ping_spacing_m, layout=layout)


def read_waterfall(
    path: Path,
    *,
    pair: int | None = None,
    range_m: float | None = None,
    ping_spacing_m: float | None = None,
    layout: str = "both",
    port_order: str = "auto",
) -> Waterfall:
    """A whole recording at once, for small files; arguments as in `open_recording` and `Recording.blocks`."""
    recording = open_recording(
        path, range_m=range_m, ping_spacing_m=ping_spacing_m, layout=layout, port_order=port_order
    )
    return next(iter(recording.blocks(pings=max(recording.ping_count(pair), 1), pair=pair)))
