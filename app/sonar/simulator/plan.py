"""What is to be simulated: the survey's lines, the sonar, the bottom and what lies on it."""

from dataclasses import dataclass

from app.errors import SettingsError
from app.sonar.simulator.seabed import BOTTOMS


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyPlan:
    """A survey of parallel lines, sailed to and fro. All of it follows from `seed`."""

    seed: int = 0
    lines: int = 2
    pings: int = 2000
    """Pings a line."""
    samples: int = 1024
    """Samples a side."""
    range_m: float = 50.0
    """Slant range of the last sample."""
    altitude_m: float = 7.0
    """Of the towfish above the bottom, before its ups and downs."""
    depth_m: float = 8.0
    """Of the towfish below the surface, where the surface return comes from."""
    speed_mps: float = 2.0
    ping_rate_hz: float = 13.0
    frequency_khz: float = 455.0
    bytes_per_sample: int = 1
    """1 or 2."""
    bottom: str = "mixed"
    """One of mud, sand, ripples, gravel, rock, mixed."""
    targets_per_line: int = 8
    ships_per_line: int = 1
    aircraft_per_line: int = 1
    stones_per_line: int = 25
    tracks_per_line: int = 1
    """Pipelines, cables, trawl marks."""
    yaw_deg: float = 0.8
    """Root mean square of the heading about the course."""
    dropouts: float = 0.001
    """Short losses of pings, a ping."""
    heading_deg: float = 35.0
    """Course of the first line; every other line is sailed back."""
    line_spacing_m: float = 90.0
    longitude: float = 10.9
    latitude: float = 54.4
    """Where the first line begins, WGS 84."""
    crs: str | None = None
    """Write positions in metres of this grid; None writes degrees."""
    start_time_s: float = 1_750_000_000.0
    """Unix time of the first ping."""

    def __post_init__(self) -> None:
        """Raises: SettingsError for the first setting that cannot be simulated."""
        if self.bottom not in BOTTOMS:
            raise SettingsError(f"bottom={self.bottom!r}: choose one of {', '.join(BOTTOMS)}")
        if self.bytes_per_sample not in (1, 2):
            raise SettingsError(f"bytes_per_sample={self.bytes_per_sample}: give 1 or 2")
        for name, least in (("lines", 1), ("pings", 32), ("samples", 64), ("range_m", 5), ("altitude_m", 1)):
            if getattr(self, name) < least:
                raise SettingsError(f"{name}={getattr(self, name)} is too small; give {least} or more")
        if self.altitude_m > 0.5 * self.range_m:
            raise SettingsError(
                f"altitude_m={self.altitude_m} leaves little bottom in a range of {self.range_m} m; "
                f"give at most half the range"
            )

    @property
    def ping_spacing_m(self) -> float:
        """Distance between pings along the track."""
        return self.speed_mps / self.ping_rate_hz

    @property
    def sample_m(self) -> float:
        """Slant range of one sample."""
        return self.range_m / self.samples

    @property
    def length_m(self) -> float:
        """Of a line."""
        return self.pings * self.ping_spacing_m

    @property
    def ground_range_m(self) -> float:
        """Farthest ground that still answers inside the range."""
        return float((self.range_m**2 - self.altitude_m**2) ** 0.5)

    def line_name(self, line: int) -> str:
        """File name of a line."""
        return f"line-{line:02d}.xtf"
