"""The fastest runtime that answers like the reference is taken, with its reason; others are left out, and why."""

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.detector.detections import Detections, Runtime
from app.detector.export import export_onnx
from app.detector.fastest import Candidate, candidates, choose, disagreement, fastest_runtime, probe_images
from app.detector.quantize import with_int8_figures
from app.errors import DeviceError, ModelError
from tests.app.detector.test_export import CARD, lively_model

SHAPE = (2, 64, 96)
BOXES = np.array([[10, 10, 30, 30], [50, 20, 70, 44]], np.float32)


class Fake:
    """Answers two boxes after a while."""

    class_names = ("target",)

    def __init__(
        self, name: str, pause_s: float, *, scores: tuple[float, float] = (0.9, 0.8), shift_px: float = 0
    ):
        self.description, self._pause_s = name, pause_s
        self._answer = Detections(
            boxes_xyxy_px=BOXES + np.float32(shift_px),
            scores=np.array(scores, np.float32),
            labels=np.zeros(2, np.int64),
        )

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        time.sleep(self._pause_s)
        return [self._answer] * len(images_BHW)


def candidate(runtime: Runtime, precision: str = "float32") -> Candidate:
    return Candidate(name=runtime.description, precision=precision, open=lambda: runtime)


def test_fastest_of_those_that_agree_is_taken_with_figures() -> None:
    slow, fast = Fake("slow", 0.02), Fake("fast", 0.004)
    wrong, elsewhere = Fake("wrong", 0, scores=(0.9, 0.6)), Fake("elsewhere", 0, shift_px=9)
    fastest = choose([candidate(r) for r in (slow, wrong, fast, elsewhere)], shape_BHW=SHAPE, budget_s=0.1)
    assert fastest.runtime is fast
    assert fastest.reason.startswith("fast takes ")
    assert "for an image of 64 x 96 px in batches of 2; slow " in fastest.reason
    assert "wrong left out: finds 2 of 4 that the reference finds" in fastest.reason
    assert [m.name for m in fastest.measured] == ["fast", "slow", "wrong", "elsewhere"]
    milliseconds = {m.name: m.ms_per_image for m in fastest.measured}
    assert milliseconds["wrong"] is milliseconds["elsewhere"] is None
    assert 2 <= (milliseconds["fast"] or 0) < 10 <= (milliseconds["slow"] or 0)


def test_eight_bits_may_move_scores_a_little() -> None:
    reference, int8 = Fake("reference", 0.005), Fake("int8", 0, scores=(0.85, 0.9))
    assert (
        choose([candidate(reference), candidate(int8, "int8")], shape_BHW=SHAPE, budget_s=0).runtime is int8
    )
    assert choose([candidate(reference), candidate(int8)], shape_BHW=SHAPE, budget_s=0).runtime is reference


def test_runtime_that_does_not_open_is_told_and_the_next_is_the_reference() -> None:
    def missing() -> Runtime:
        raise DeviceError("not installed")

    other = Fake("other", 0)
    absent = Candidate(name="absent", precision="float32", open=missing)
    fastest = choose([absent, candidate(other)], shape_BHW=SHAPE, budget_s=0)
    assert fastest.runtime is other
    assert "absent left out: not installed" in fastest.reason
    with pytest.raises(ModelError, match="no runtime here can open the model: absent: not installed"):
        choose([absent], shape_BHW=SHAPE)


def test_boxes_of_another_class_do_not_agree() -> None:
    one = Fake("one", 0).detect(probe_images((1, 32, 32)), min_score=0)
    relabelled = Detections(
        boxes_xyxy_px=one[0].boxes_xyxy_px, scores=one[0].scores, labels=np.ones(2, np.int64)
    )
    assert disagreement(one, one, 0.0) == ""
    assert "finds 0 of 2" in disagreement(one, [relabelled], 1.0)


def test_budget_bounds_the_time_of_all_together() -> None:
    started = time.perf_counter()
    choose([candidate(Fake(str(n), 0.005)) for n in range(4)], shape_BHW=SHAPE, budget_s=0.2)
    assert 0.2 <= time.perf_counter() - started < 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export_onnx(lively_model(), tmp_path / "best.onnx", card=CARD)
    return tmp_path


def test_present_runtimes_of_a_real_file_agree(folder: Path) -> None:
    fastest = fastest_runtime(folder / "best.onnx", threads=1, shape_BHW=SHAPE, budget_s=0.05)
    assert fastest.runtime.class_names == ("target", "ship")
    figures = {m.name: m.ms_per_image for m in fastest.measured}
    assert figures["onnx float32"] is not None
    assert figures.get("openvino float32", 0.0) is not None


@pytest.mark.parametrize(("lost", "offered"), [(0.004, True), (0.006, False)])
def test_eight_bits_are_a_candidate_only_where_they_lost_little(
    folder: Path, lost: float, offered: bool
) -> None:
    content = (folder / "best.onnx").read_bytes()
    (folder / "best.int8.onnx").write_bytes(with_int8_figures(content, {"ap50_lost": lost}, folder))
    names = [c.name for c in candidates(folder / "best.onnx", device="cpu", threads=1)]
    assert names[0] == "onnx float32"
    assert ("onnx int8" in names) is offered
    alone = [c.name for c in candidates(folder / "best.int8.onnx", device="cpu", threads=1)]
    assert [name for name in alone if name.startswith("onnx")] == (["onnx int8"] if offered else [])
