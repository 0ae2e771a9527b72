"""Mirror images answer as the image itself, put back where they belong."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.detector.detections import Detections
from app.detector.flips import Flip, FlipAveraged, with_flips
from app.detector.torch_runtime import TorchRuntime
from app.errors import SettingsError
from tests.app.detector.test_export import lively_model

Floats = NDArray[np.float32]


class BrightCells:
    """Answers each cell's brightness and its own square: the same about an image and its mirror images."""

    class_names = ("target",)
    description = "bright cells"

    def __init__(self, *, spare: int = 0) -> None:
        self.asked: list[NDArray[np.uint8]] = []
        self.spare = spare

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        self.asked.append(images_BHW)
        batch, height, width = images_BHW.shape
        means = images_BHW.reshape(batch, height // 8, 8, width // 8, 8).mean((2, 4)) / 255
        y, x = np.mgrid[: height // 8, : width // 8] * 8.0
        boxes = np.stack((x, y, x + 8, y + 8), -1).reshape(1, -1, 4).repeat(batch, 0)
        scores = np.pad(means.reshape(batch, -1, 1), ((0, 0), (0, self.spare), (0, 0)))
        return boxes.astype(np.float32), scores.astype(np.float32)


def images(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("flips", [(), ("along",), ("across",), ("both",), ("along", "across", "both")])
def test_cells_come_back_to_their_places(flips: tuple[Flip, ...]) -> None:
    batch = images(2, 64, 96)
    inner = BrightCells()
    boxes, scores = FlipAveraged(inner, flips).predict(batch)
    wanted_boxes, wanted_scores = BrightCells().predict(batch)
    assert boxes == pytest.approx(wanted_boxes, abs=1e-4)
    assert scores == pytest.approx(wanted_scores, abs=1e-6)
    assert len(inner.asked) == 1 + len(flips)
    assert len({asked.tobytes() for asked in inner.asked}) == 1 + len(flips)


def test_a_mirrored_tile_gets_mirrored_answers() -> None:
    """What averaging is for; the network alone, whose weights know left from right, does not do it."""
    inner = TorchRuntime(lively_model())
    averaged = FlipAveraged(inner, ("along", "across", "both"))
    batch = images(1, 64, 64)
    for runtime, agrees in ((averaged, True), (inner, False)):
        scores = runtime.predict(batch)[1].reshape(8, 8, -1)
        mirrored = runtime.predict(np.ascontiguousarray(batch[:, ::-1]))[1].reshape(8, 8, -1)
        assert np.allclose(scores, mirrored[::-1], atol=1e-5) is agrees


def test_surer_mirror_image_has_more_say_about_the_box() -> None:
    class Unsure(BrightCells):
        def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[Floats, Floats]:
            boxes, scores = super().predict(images_BHW)
            second = len(self.asked) == 2
            return boxes + (8.0 if second else 0.0), np.full_like(scores, 0.25 if second else 0.75)

    boxes, scores = FlipAveraged(Unsure(), ("along",)).predict(images(1, 32, 32))
    assert scores == pytest.approx(0.5)
    assert boxes[0, 0] == pytest.approx([2.0, -2.0, 10.0, 6.0], abs=1e-4)


def test_no_images_give_no_detections() -> None:
    assert FlipAveraged(BrightCells()).detect(images(0, 32, 32), min_score=0.1) == []


def test_other_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="21 answers a tile instead of 16"):
        FlipAveraged(BrightCells(spare=5)).predict(images(1, 32, 32))


def test_tells_of_the_mirror_images() -> None:
    assert FlipAveraged(BrightCells(), ("along",)).description == "bright cells, mean over 2 mirror images"


def test_runtime_without_cells_is_refused() -> None:
    class Opaque:
        class_names = ("target",)
        description = "an engine of boxes"

        def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
            raise AssertionError

    with pytest.raises(SettingsError, match="which an engine of boxes does not tell; leave it out"):
        with_flips(Opaque())
