"""What a survey is detected with; every value that changes a result stands in the report."""

from dataclasses import asdict, dataclass

from app.errors import SettingsError
from app.sonar.pixel_size import COARSEST_PIXEL_M, FINEST_PIXEL_M

TILE_MULTIPLE_PX = 32
"""Networks take images whose sides are multiples of this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyOptions:
    """Settings of `detect_survey`; None means: decided from the recording."""

    min_score: float = 0.4
    """Confidence below which a detection is dropped."""
    pixel_m: float | None = None
    """Size of a pixel of the corrected picture on the seabed; without it see `automatic_pixel_m`."""
    finest_pixel_m: float = FINEST_PIXEL_M
    coarsest_pixel_m: float = COARSEST_PIXEL_M
    tile_px: int = 1024
    """Rows of a tile; a multiple of 32."""
    widest_tile_px: int = 1024
    """A side up to this many pixels wide is one tile across; a wider one is split. A multiple of 32."""
    overlap_px: int = 96
    """Overlap of neighbouring tiles; an object up to this size is whole in at least one tile."""
    coarse_factor: int = 3
    """A second pass looks at the picture this many times smaller, for objects that no fine tile shows whole;
    1 leaves it out."""
    batch_size: int = 8
    """Tiles that the network sees at once."""
    workers: int = 1
    """Threads that run the network side by side, each on a batch of its own. On a CPU, one per core with a
    runtime of one thread each is faster than one with a runtime of all cores: no core waits for another one."""
    block_pings: int = 4096
    """Pings read and corrected at once; with `tile_px` it bounds the memory, whatever the file's length."""
    crs: str | None = None
    """Grid of positions given in metres, such as `EPSG:32620`."""
    range_m: float | None = None
    """Slant range of the last sample, for recordings that do not say it."""
    ping_spacing_m: float | None = None
    """Distance between pings, for recordings without positions."""
    layout: str = "both"
    """What the columns of an image file are: `both`, `port` or `starboard`."""
    channel_pair: int | None = None
    """Which pair of channels; without it the highest frequency recorded on both sides."""
    thumbnail_px: int = 256
    """Longest side of a contact's picture."""
    preview_px: int = 3072
    """Longest side of a file's waterfall picture."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise SettingsError(f"min_score={self.min_score} must lie between 0 and 1; try 0.4")
        for name in ("tile_px", "widest_tile_px"):
            value = getattr(self, name)
            if value < 64 or value % TILE_MULTIPLE_PX:
                raise SettingsError(f"{name}={value} must be a multiple of 32 from 64 on; try 640")
        if not 0 <= self.overlap_px <= min(self.tile_px, self.widest_tile_px) // 2:
            raise SettingsError(
                f"overlap_px={self.overlap_px} must lie between 0 and half a tile (tile_px={self.tile_px}, "
                f"widest_tile_px={self.widest_tile_px}); try 96"
            )
        for name in ("coarse_factor", "batch_size", "workers", "block_pings", "thumbnail_px", "preview_px"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name}={getattr(self, name)} must be at least 1")
        for name in ("pixel_m", "finest_pixel_m", "coarsest_pixel_m", "range_m", "ping_spacing_m"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 10_000:
                raise SettingsError(f"{name}={value} must be a length in metres above 0")
        if self.finest_pixel_m > self.coarsest_pixel_m:
            raise SettingsError(
                f"finest_pixel_m={self.finest_pixel_m} must not exceed "
                f"coarsest_pixel_m={self.coarsest_pixel_m}"
            )
        if self.layout not in ("both", "port", "starboard"):
            raise SettingsError(f"layout={self.layout!r} must be one of: both, port, starboard")

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Every setting by name, for the report."""
        return asdict(self)
