"""An XTF file as mapped memory, and what its header says of the channels."""

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import SonarFileError
from app.sonar.recording import ChannelPair
from app.sonar.xtf_layout import (
    CHANNEL_INFO,
    CHANNEL_INFO_BYTES,
    CHANNELS_IN_FIRST_HEADER,
    FILE_FORMAT,
    FILE_HEADER,
    FILE_HEADER_BYTES,
    PORT,
    STARBOARD,
    ChannelFormat,
    kilohertz,
    stored_as,
)

CHANNELS_LIMIT = 64
GROUND_RANGE = 2
"""Value of CorrectionFlags of samples that are already equally spaced on the bottom."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileHeader:
    """What holds for the whole file."""

    formats: dict[int, ChannelFormat]
    """By channel number, as pings refer to them; only those whose samples can be read."""
    length_bytes: int
    nav_units: int
    ground_range: bool
    """Whether the recorder already removed the water column."""


def map_file(path: Path) -> mmap.mmap:
    """The file as memory, read when it is touched.

    Raises:
        SonarFileError: empty, or not to be opened.
    """
    try:
        with path.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap refuses empty files
        raise SonarFileError(f"{path.name} is empty; copy it again") from error
    except OSError as error:
        raise SonarFileError(
            f"{path} cannot be read ({error.strerror}); check the path and the rights"
        ) from error


def let_go(data: mmap.mmap, start: int, end: int) -> None:
    """Give back the memory of a stretch that has been read: without it a process grows with its files."""
    if not hasattr(mmap, "MADV_DONTNEED"):  # Windows trims by itself
        return
    start -= start % mmap.PAGESIZE
    end -= end % mmap.PAGESIZE
    if end > start:
        data.madvise(mmap.MADV_DONTNEED, start, end - start)


def read_header(data: mmap.mmap, name: str) -> FileHeader:
    """The file header.

    Raises:
        SonarFileError: not XTF, or shorter than a header.
    """
    if data[0] != FILE_FORMAT:
        raise SonarFileError(
            f"{name} is not XTF (its first byte is {data[0]}, XTF begins with {FILE_FORMAT}); "
            "give a recording in XTF"
        )
    if len(data) < FILE_HEADER_BYTES:
        raise SonarFileError(f"{name} is cut short inside its header ({len(data)} bytes); copy it again")
    header = np.frombuffer(data, FILE_HEADER, 1)[0]
    count = int(header["sonar_channels"]) + int(header["bathymetry_channels"])
    extra = max(0, count - CHANNELS_IN_FIRST_HEADER)
    length_bytes = FILE_HEADER_BYTES * (1 + -(-extra * CHANNEL_INFO_BYTES // FILE_HEADER_BYTES))
    if count > CHANNELS_LIMIT or length_bytes > len(data):
        count, length_bytes = CHANNELS_IN_FIRST_HEADER, FILE_HEADER_BYTES
    infos = np.frombuffer(data, CHANNEL_INFO, max(count, CHANNELS_IN_FIRST_HEADER), 256)
    formats = {
        number: form
        for number, info in enumerate(infos)
        if (form := _channel_format(number, info)) is not None
    }
    flags = [int(infos[n]["correction"]) for n, f in formats.items() if f.type in (PORT, STARBOARD)]
    return FileHeader(
        formats=formats,
        length_bytes=length_bytes,
        nav_units=int(header["nav_units"]),
        ground_range=bool(flags) and all(flag == GROUND_RANGE for flag in flags),
    )


def pair_channels(formats: dict[int, ChannelFormat]) -> tuple[ChannelPair, ...]:
    """The n-th port channel belongs to the n-th starboard channel."""
    ports = [f for f in formats.values() if f.type == PORT]
    starboards = [f for f in formats.values() if f.type == STARBOARD]
    pairs = []
    for index in range(max(len(ports), len(starboards))):
        port = ports[index] if index < len(ports) else None
        starboard = starboards[index] if index < len(starboards) else None
        frequencies = [f.frequency_khz for f in (port, starboard) if f is not None and f.frequency_khz]
        pairs.append(
            ChannelPair(
                port=None if port is None else port.number,
                starboard=None if starboard is None else starboard.number,
                frequency_khz=frequencies[0] if frequencies else None,
            )
        )
    return tuple(pairs)


def _channel_format(number: int, info: np.void | NDArray[np.void]) -> ChannelFormat | None:
    dtype = stored_as(int(info["bytes_per_sample"]), int(info["sample_format"]))
    if dtype is None:
        return None
    return ChannelFormat(
        number=number,
        type=int(info["type"]),
        dtype=dtype,
        samples=int(info["samples"]),
        frequency_khz=kilohertz(float(info["frequency"])),
    )
