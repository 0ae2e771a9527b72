"""What detecting a survey gives: the contacts, and what was read of every file and was wrong with it."""

from dataclasses import dataclass, field

import numpy as np

from app.sonar.waterfall import Floats, PositionUnits
from app.survey.contact import Contact
from app.survey.options import SurveyOptions
from app.survey.strip import Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A file's whole waterfall, corrected and made small: port mirrored on the left, starboard right."""

    image_HW: Picture
    """Rows along track, the first ping on top."""
    ping_edges: Floats
    """(H + 1,) ping numbers at the rows' edges."""
    nadir_px: int
    """Column at which starboard begins; port ends there."""
    pixel_m: float
    """Width of a column on the seabed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """Where the towfish went, thinned out; all arrays are (N,)."""

    ping: Floats
    x: Floats
    """Longitude in degrees, or easting in metres, see `units`."""
    y: Floats
    units: PositionUnits
    heading_deg: Floats | None
    """Where the towfish pointed, NaN where unknown; None where unknown throughout."""
    port_m: Floats
    """How far port looked along the bottom from there; 0 where it was not recorded."""
    starboard_m: Floats
    length_m: float
    """Along every ping, not only those kept here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileReport:
    """One file of a survey."""

    source: str
    """File name; with as many of its folders as tell it apart from others of that name."""
    path: str
    """As it was given."""
    error: str | None = None
    """Why the file was not read, or not to its end; one line."""
    warnings: tuple[str, ...] = ()
    defects: tuple[tuple[int | None, str], ...] = ()
    """Damaged places: byte offset where known, and what was wrong. The recording was read around them."""
    pings: int = 0
    contacts: int = 0
    frequency_khz: float | None = None
    range_m: float | None = None
    """Slant range of one side."""
    altitude_m: float | None = None
    """Median over the file."""
    altitude_source: str = "none"
    """`file`, `data` (bottom tracked in the recording) or `none`."""
    ping_spacing_m: float | None = None
    pixel_m: float | None = None
    start_time_s: float | None = None
    """Unix time, UTC."""
    end_time_s: float | None = None
    track: Track | None = None
    area_km2: float | None = None
    """Seabed that the sides covered; what two lines both covered counts twice."""
    preview: Preview | None = None
    seconds: float = 0.0

    @property
    def damage(self) -> str:
        """What of the recording is lost, one line; empty where nothing is."""
        if not self.defects:
            return ""
        offset, what = self.defects[0]
        count = len(self.defects)
        places = "a damaged place was" if count == 1 else f"{count:,} damaged places were"
        where = "" if offset is None else f" (byte {offset:,})"
        return (
            f"{places} skipped, what was there is not searched: {what}{where}{', first' if count > 1 else ''}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyResult:
    """Contacts of all files, in the order of files and pings, and how they were found."""

    contacts: tuple[Contact, ...]
    files: tuple[FileReport, ...]
    options: SurveyOptions
    class_names: tuple[str, ...]
    model: str
    """The runtime's description."""
    seconds: float
    """Wall clock of the whole."""
    stage_s: dict[str, float] = field(default_factory=dict)
    """Seconds by stage; reading and correcting run beside the network: they add up to more than the whole."""

    @property
    def pings(self) -> int:
        """Pings read in all files."""
        return sum(file.pings for file in self.files)

    @property
    def length_km(self) -> float | None:
        """Survey lines together; None where no file has positions."""
        lengths = [file.track.length_m for file in self.files if file.track is not None]
        return sum(lengths) / 1000 if lengths else None

    @property
    def area_km2(self) -> float | None:
        """Seabed covered by all files; None where no file tells."""
        areas = [file.area_km2 for file in self.files if file.area_km2 is not None]
        return sum(areas) if areas else None

    @property
    def failed(self) -> tuple[FileReport, ...]:
        """Files that could not be read, or not to their end."""
        return tuple(file for file in self.files if file.error is not None)

    def contacts_by_label(self) -> dict[str, int]:
        """How many contacts each class has, the model's classes in its order."""
        labels = [contact.label for contact in self.contacts]
        names = [*self.class_names, *sorted(set(labels) - set(self.class_names))]
        return {name: labels.count(name) for name in names}


def median_or_none(values: Floats) -> float | None:
    """Median of the finite values; None without any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
