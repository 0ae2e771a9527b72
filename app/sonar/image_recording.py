"""Pictures of waterfalls as recordings: PNG, JPEG, TIFF with the range and the ping spacing given by the user."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.errors import SonarFileError
from app.sonar.echoes import only_echoes
from app.sonar.recording import BLOCK_PINGS, ChannelPair, Defect
from app.sonar.waterfall import Navigation, Waterfall

LAYOUTS = ("both", "port", "starboard")


class ImageRecording:
    """A picture, one row a ping, first ping on top; see `Recording`.

    Layout `both`: port on the left, far to near, starboard on the right, near to far. `port` and `starboard` hold
    one side, nearest sample at the side where the towfish is in a waterfall (right for port, left for starboard).
    """

    def __init__(
        self, path: Path, *, range_m: float | None, ping_spacing_m: float | None, layout: str = "both"
    ) -> None:
        """Decode the picture.

        Raises:
            SonarFileError: it cannot be decoded, or its range is not given.
        """
        self.source = path.name
        if layout not in LAYOUTS:
            raise SonarFileError(f"layout {layout!r} is unknown; give one of {', '.join(LAYOUTS)}")
        if range_m is None or not range_m > 0:
            raise SonarFileError(
                f"{path.name} is a picture and carries no range; give it with --range-m, such as 75"
            )
        try:
            data = np.fromfile(path, dtype=np.uint8)
        except OSError as error:
            raise SonarFileError(f"{path} cannot be read ({error.strerror}); check the rights") from error
        pixels = _decoded(data, path.name)
        if pixels.shape[1] < 2:
            raise SonarFileError(f"{path.name} is one pixel wide; give a picture with a ping in every row")
        self._range_m = range_m
        self.ping_spacing_m = ping_spacing_m
        """As given: a picture carries no positions that it could be taken from."""
        if pixels.dtype.kind == "f":
            pixels = only_echoes(pixels)
        half = pixels.shape[1] // 2
        self._port = (
            pixels[:, :half][:, ::-1] if layout == "both" else pixels[:, ::-1] if layout == "port" else None
        )
        self._starboard = (
            pixels[:, pixels.shape[1] - half :]
            if layout == "both"
            else pixels
            if layout == "starboard"
            else None
        )
        self._pings = len(pixels)
        self.channel_pairs = (
            ChannelPair(
                port=None if self._port is None else 0,
                starboard=None if self._starboard is None else 1,
                frequency_khz=None,
            ),
        )
        self.defects: tuple[Defect, ...] = ()

    def ping_count(self, pair: int | None = None) -> int:
        """See `Recording.ping_count`."""
        self._check(pair)
        return self._pings

    def blocks(self, *, pings: int = BLOCK_PINGS, pair: int | None = None) -> Iterator[Waterfall]:
        """See `Recording.blocks`."""
        self._check(pair)
        for start in range(0, self._pings, pings):
            rows = slice(start, min(start + pings, self._pings))
            count = rows.stop - start
            yield Waterfall(
                source=self.source,
                first_ping=start,
                port_PS=None if self._port is None else self._port[rows],
                starboard_PS=None if self._starboard is None else self._starboard[rows],
                slant_range_m=np.full(count, self._range_m),
                navigation=Navigation(time_s=np.full(count, np.nan)),
            )

    def _check(self, pair: int | None) -> None:
        if pair not in (None, 0):
            raise SonarFileError(f"{self.source} is a picture with one channel pair; leave the pair out")


def _decoded(data: NDArray[np.uint8], name: str) -> NDArray[np.generic]:
    """The picture in grey, in its own depth, rows as stored (no turning by EXIF)."""
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(data, flags) if len(data) else None
    except cv2.error as error:  # larger than OpenCV takes
        raise SonarFileError(
            f"{name} is too large a picture; cut it into pieces of some 10,000 rows"
        ) from error
    if image is None or image.ndim != 2 or image.size == 0:
        raise SonarFileError(f"{name} cannot be decoded as a picture ({len(data)} bytes); save it again")
    return np.asarray(image)
