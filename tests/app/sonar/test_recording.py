"""What opens as a recording, what is refused, and pictures as the second way in."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.errors import SonarFileError
from app.sonar.image_recording import ImageRecording
from app.sonar.recording import open_recording, read_waterfall
from app.sonar.waterfall import Side
from tests.app.sonar.xtf_bytes import seabed, xtf_file

PORT = np.arange(12 * 30, dtype=np.uint16).reshape(12, 30) * 150
STARBOARD = PORT[::-1] + 7


def picture(path: Path, pixels: np.ndarray[Any, Any]) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_picture_of_both_sides(tmp_path: Path, suffix: str) -> None:
    path = picture(tmp_path / f"a{suffix}", np.hstack([PORT[:, ::-1], STARBOARD]))
    recording = open_recording(path, range_m=40, ping_spacing_m=0.2)
    assert isinstance(recording, ImageRecording)
    assert recording.ping_spacing_m == 0.2
    blocks = list(recording.blocks(pings=5))
    assert [(b.first_ping, b.pings) for b in blocks] == [(0, 5), (5, 5), (10, 2)]
    for side, expected in ((Side.PORT, PORT), (Side.STARBOARD, STARBOARD)):
        found = np.concatenate([b.side(side) for b in blocks])  # type: ignore[misc]
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, expected)
    assert blocks[0].slant_range_m.tolist() == [40.0] * 5
    assert blocks[0].navigation.x is None


@pytest.mark.parametrize("side", list(Side))
def test_picture_of_one_side(tmp_path: Path, side: Side) -> None:
    stored = PORT[:, ::-1] if side is Side.PORT else PORT
    ours = read_waterfall(picture(tmp_path / "a.png", stored), range_m=40, layout=side.value)
    np.testing.assert_array_equal(ours.side(side), PORT)
    assert [s for s in Side if ours.side(s) is None] == [s for s in Side if s is not side]


def test_colour_and_odd_width_and_floats(tmp_path: Path) -> None:
    colour = read_waterfall(picture(tmp_path / "a.png", np.full((4, 21, 3), 77, np.uint8)), range_m=40)
    assert colour.port_PS is not None
    assert colour.port_PS.shape == (4, 10)
    assert (colour.port_PS == 77).all()
    pixels = np.ones((4, 20), dtype=np.float32)
    pixels[1, 15:18] = np.nan, np.inf, -np.inf
    floats = read_waterfall(picture(tmp_path / "b.tif", pixels), range_m=40)
    assert floats.starboard_PS is not None
    assert floats.starboard_PS.dtype == np.float32
    assert floats.starboard_PS[1, 4:9].tolist() == [1, 0, 0, 0, 1]


def test_side_takes_its_name_too() -> None:
    # Side is a string: `side("port")` compared by identity once gave starboard.
    ours = read_waterfall_of_numbers()
    np.testing.assert_array_equal(ours.side("port"), PORT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="left"):
        ours.side("left")  # type: ignore[arg-type]


def read_waterfall_of_numbers() -> Any:
    from app.sonar.waterfall import Navigation, Waterfall

    return Waterfall(
        source="a",
        first_ping=0,
        port_PS=PORT,
        starboard_PS=STARBOARD,
        slant_range_m=np.full(12, 40.0),
        navigation=Navigation(time_s=np.zeros(12)),
    )


def huge_png() -> bytes:
    """A few bytes that promise 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.png",
            b"\x89PNG" + b"x" * 60,
            r"a\.png cannot be decoded as a picture \(64 bytes\); save it again",
        ),
        ("a.jpg", b"", r"cannot be decoded as a picture \(0 bytes\)"),
        ("a.png", huge_png(), "too large a picture; cut it into pieces"),
        ("a.jsf", b"x", r"no known format; give \.xtf, or"),
        ("a", b"x", r"a has no known format"),
    ],
)
def test_refused_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SonarFileError, match=message) as error:
        open_recording(tmp_path / name, range_m=40)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "carries no range; give it with --range-m"),
        ({"range_m": 0.0}, "range_m=0.0 must be a length above 0"),
        ({"range_m": float("nan")}, "range_m=nan must be a length above 0"),
        ({"range_m": 40, "ping_spacing_m": -1}, "ping_spacing_m=-1 must be a length above 0"),
        ({"range_m": 40, "layout": "left"}, "layout 'left' is unknown; give one of both, port, starboard"),
    ],
)
def test_what_a_picture_needs(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    path = picture(tmp_path / "a.png", PORT)
    with pytest.raises(SonarFileError, match=message):
        open_recording(path, **given)


def test_one_pixel_wide_and_other_pairs(tmp_path: Path) -> None:
    with pytest.raises(SonarFileError, match="one pixel wide"):
        open_recording(picture(tmp_path / "a.png", PORT[:, :1]), range_m=40)
    with pytest.raises(SonarFileError, match="one channel pair; leave the pair out"):
        read_waterfall(picture(tmp_path / "b.png", PORT), range_m=40, pair=1)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SonarFileError, match=r"b\.xtf is not a file; check the path"):
        open_recording(tmp_path / "b.xtf")
    (tmp_path / "c.xtf").mkdir()
    with pytest.raises(SonarFileError, match=r"c\.xtf is not a file"):
        open_recording(tmp_path / "c.xtf")


def test_suffix_in_capitals(tmp_path: Path) -> None:
    path = xtf_file(tmp_path / "A.XTF", seabed(5, 100), seabed(5, 100))
    assert read_waterfall(path).pings == 5
