"""Real recordings with damage of every kind: a normal read or a SonarFileError, nothing else, and little memory."""

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from app.errors import SonarFileError
from app.sonar.corrections.bottom import choose_altitude
from app.sonar.navigation import repair_navigation
from app.sonar.recording import open_recording
from app.sonar.waterfall import Waterfall

FILES = ("Demowreck.xtf", "000_1236.xtf", "scotsman-iver2.xtf")
KEPT_BYTES = 45_000
"""The files' beginnings, some fifteen pings: all kinds of packets are among them."""
MUTATIONS = 700
MOST_BYTES = 64e6
EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    struct.pack("<f", np.nan),
    struct.pack("<f", np.inf),
    struct.pack("<d", -1e308),
    struct.pack("<d", 1e-320),
    struct.pack("<I", 1 << 20),
    b"\xce\xfa\0\0",
)
HEADERS_ONLY = 350
"""Bytes after a packet's start that hold its headers; samples cannot do much harm."""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four wounds."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        kind = int(rng.integers(7))
        at = _place(bytes(out), rng)
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind in (1, 2, 3):
            value = EXTREMES[int(rng.integers(len(EXTREMES)))]
            out[at : at + len(value)] = value
        elif kind == 4:
            out[at : at + int(rng.integers(1, 3000))] = b""
        elif kind == 5:
            out[at:at] = rng.bytes(int(rng.integers(1, 3000)))
        else:
            out = out[: max(at, 1)]
    return bytes(out)


def _place(data: bytes, rng: np.random.Generator) -> int:
    """Anywhere, in the file header, or in the headers of a packet, equally often."""
    where = int(rng.integers(3))
    anywhere = int(rng.integers(len(data)))
    if where == 0:
        return anywhere
    if where == 1:
        return min(int(rng.integers(1024)), len(data) - 1)
    start = data.find(b"\xce\xfa", anywhere)
    return anywhere if start < 0 else min(start + int(rng.integers(HEADERS_ONLY)), len(data) - 1)


def read_all(path: Path) -> int:
    """Every pair through reading, repair and bottom track; the number of pings."""
    recording = open_recording(path)
    pings = 0
    for pair in range(len(recording.channel_pairs)):
        for block in recording.blocks(pings=16, pair=pair):
            check(block)
            repair_navigation(block.navigation)
            choose_altitude(block)
            pings += block.pings
    assert len(recording.defects) <= 201
    return pings


def is_read(path: Path, case: str) -> bool:
    """Whether the file is read (or refused in one line); anything else fails and names the case."""
    try:
        return read_all(path) > 0
    except SonarFileError as error:
        if "\n" not in str(error):
            return False
        raise AssertionError(f"{case}: an error of several lines: {error}") from error
    except Exception as error:
        raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error


def check(block: Waterfall) -> None:
    """What every waterfall promises."""
    for side in (block.port_PS, block.starboard_PS):
        assert side is None or side.shape[0] == block.pings > 0
        assert side is None or np.isfinite(side).all()
    told_m = block.slant_range_m[np.isfinite(block.slant_range_m)]
    assert (told_m > 0).all()
    nav = block.navigation
    for values in (nav.x, nav.y, nav.heading_deg, nav.altitude_m, nav.speed_mps, nav.pitch_deg, nav.roll_deg):
        assert values is None or (values.shape == (block.pings,) and not np.isinf(values).any())


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_read_or_refused(real_data: Path, tmp_path: Path, name: str) -> None:
    with (real_data / "xtf" / name).open("rb") as stream:
        data = stream.read(KEPT_BYTES)
    read, refused = 0, 0
    tracemalloc.start()
    try:
        for seed in range(MUTATIONS):
            # A name of its own: writing over a file waits for the disk.
            path = tmp_path / f"{seed}.xtf"
            path.write_bytes(mutate(data, np.random.default_rng(seed)))
            tracemalloc.reset_peak()
            outcome = is_read(path, f"seed {seed} of {name}")
            read += outcome
            refused += not outcome
            path.unlink()
            assert tracemalloc.get_traced_memory()[1] < MOST_BYTES, f"seed {seed} of {name}"
    finally:
        tracemalloc.stop()
    assert read + refused == MUTATIONS
    # Were nearly all refused, the reader would not have been tested, nor were none.
    assert read > MUTATIONS // 2
    assert refused > 0
