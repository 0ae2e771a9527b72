"""Pings that EdgeTech's sonars stored with weights of their own, against the amplitudes they were made from."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.sonar.blocks import without_short_blocks
from app.sonar.recording import open_recording, read_waterfall
from app.sonar.waterfall import Side
from app.survey.correct import Corrector
from app.survey.options import SurveyOptions
from tests.app.sonar.xtf_bytes import PORT, STARBOARD, MadeChannel, file_header, ping, seabed

PINGS, SAMPLES, USUAL = 400, 300, 4
PAIR_16_BIT = [MadeChannel(type=t, bytes_per_sample=2, frequency_khz=455) for t in (PORT, STARBOARD)]
WAYS: dict[str, Callable[[int], int]] = {
    "from ping to ping": lambda row: USUAL + row % 3,
    "in steps": lambda row: USUAL if row < 250 else USUAL + 3,
}


def weighted_file(path: Path, weights: Sequence[int]) -> tuple[Path, NDArray[np.uint8]]:
    """One side as it is, nearest first, and the file that holds it with these weights."""
    side = seabed(len(weights), SAMPLES)
    stored = side.astype("<u2") << np.array(weights, dtype="<u2")[:, None]
    fields = [{"number": n, "x": -68.0 + n * 1e-6, "weight": w} for n, w in enumerate(weights)]
    pings = [
        ping({0: row[::-1], 1: row}, **field)  # type: ignore[arg-type]
        for row, field in zip(stored, fields, strict=True)
    ]
    path.write_bytes(file_header(PAIR_16_BIT) + b"".join(pings))
    return path, side


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("block_pings", [100, 5000])
def test_weights_that_change_are_taken_out(tmp_path: Path, way: str, block_pings: int) -> None:
    path, side = weighted_file(tmp_path / "a.xtf", [WAYS[way](row) for row in range(PINGS)])
    blocks = list(open_recording(path).blocks(pings=block_pings))
    for seen in Side:
        rows = np.concatenate([block.side(seen) for block in blocks])  # type: ignore[misc]
        scale = rows[0, -1] / side[0, -1]
        np.testing.assert_array_equal(rows, side * np.float32(scale))


def test_one_weight_throughout_leaves_samples_as_stored(tmp_path: Path) -> None:
    path, side = weighted_file(tmp_path / "a.xtf", [USUAL] * PINGS)
    ours = read_waterfall(path)
    assert ours.starboard_PS is not None
    assert ours.starboard_PS.dtype == np.uint16
    np.testing.assert_array_equal(ours.starboard_PS, side.astype(np.uint16) << USUAL)


def test_a_weight_that_cannot_be_counts_as_the_usual_one(tmp_path: Path) -> None:
    path, _ = weighted_file(tmp_path / "a.xtf", [USUAL] * PINGS)
    data = bytearray(path.read_bytes())
    size = (len(data) - 1024) // PINGS
    at = 1024 + 7 * size + 256 + 58
    data[at : at + 2] = (20_000).to_bytes(2, "little")
    whole = read_waterfall(path)
    path.write_bytes(data)
    np.testing.assert_array_equal(read_waterfall(path).port_PS, whole.port_PS)  # type: ignore[arg-type]


def test_the_corrected_picture_does_not_show_the_weights(tmp_path: Path) -> None:
    """The last block is short and of another depth: it is joined to the one before all the same."""
    pictures = []
    for name, weights in (("a", [USUAL] * PINGS), ("b", [WAYS["in steps"](row) for row in range(PINGS)])):
        path, _ = weighted_file(tmp_path / f"{name}.xtf", weights)
        corrector = Corrector(SurveyOptions())
        blocks = list(without_short_blocks(open_recording(path).blocks(pings=150), least_pings=120))
        assert [block.pings for block in blocks] == [150, 250]
        strips = [corrector.correct(block).strip for block in blocks]
        pictures.append(np.concatenate([strip.images[Side.STARBOARD] for strip in strips]).astype(int))
    # OpenCV places whole numbers less finely between samples than floats.
    assert np.abs(pictures[0] - pictures[1]).max() <= 5
