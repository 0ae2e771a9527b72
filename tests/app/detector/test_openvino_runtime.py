"""The OpenVINO runtime: torch's answers, several threads at once, one line for what is no model."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.detector.export import export_onnx
from app.detector.openvino_runtime import OpenVinoRuntime, cpu_formats
from app.detector.runtimes import load_runtime
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.errors import DeviceError, ModelError
from tests.app.detector.test_export import CARD, expected, lively_model

FLOAT32 = plan_device(choose_device("cpu"), dtype="float32")

IMAGES = np.random.default_rng(2).integers(0, 256, (3, 96, 64), dtype=np.uint8)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openvino", reason="OpenVINO is not installed (extra `openvino`)")
    path = tmp_path_factory.mktemp("model") / "best.onnx"
    export_onnx(lively_model(), path, card=CARD)
    return path


def test_finds_what_torch_finds(model_file: Path) -> None:
    ours = OpenVinoRuntime(model_file, threads=1).detect(IMAGES, min_score=0.4)
    torchs = TorchRuntime(lively_model(), plan=FLOAT32).detect(IMAGES, min_score=0.4)
    assert sum(len(d) for d in ours) > 3
    for one, other in zip(ours, torchs, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert one.boxes_xyxy_px == pytest.approx(other.boxes_xyxy_px, abs=0.01)
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_predicts_every_cell(model_file: Path) -> None:
    boxes, scores = OpenVinoRuntime(model_file, threads=1).predict(IMAGES)
    true_boxes, true_scores = expected(lively_model(), IMAGES)
    assert boxes == pytest.approx(true_boxes, abs=0.01)
    assert scores == pytest.approx(true_scores, abs=1e-4)


def test_threads_that_ask_at_once_get_their_own_answers(model_file: Path) -> None:
    runtime = OpenVinoRuntime(model_file, threads=1)
    batches = [np.roll(IMAGES, step, axis=2) for step in range(12)]
    alone = [runtime.detect(batch, min_score=0.4) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: runtime.detect(batch, min_score=0.4), batches))
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a.boxes_xyxy_px, b.boxes_xyxy_px)
            assert np.array_equal(a.scores, b.scores)


def test_threads_that_ask_for_every_cell_at_once_get_their_own_answers(model_file: Path) -> None:
    """As `detect --average-flips` does on every core."""
    runtime = OpenVinoRuntime(model_file, threads=1)
    batches = [np.roll(np.tile(IMAGES, (1, 2, 4)), step, axis=2) for step in range(24)]
    alone = [runtime.predict(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(runtime.predict, batches))
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_opens_by_name_and_tells_itself(model_file: Path) -> None:
    runtime = load_runtime(model_file, runtime="openvino", threads=1)
    assert runtime.class_names == ("target", "ship")
    assert runtime.description.startswith("small, OpenVINO ")
    assert runtime.description.endswith("on cpu, 1 thread, float32")
    assert runtime.detect(IMAGES[:0], min_score=0.1) == []
    assert "FP32" in cpu_formats()


def test_what_is_no_model_is_refused(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_file.read_bytes()[:-2000])
    with pytest.raises(ModelError, match=r"is not a readable ONNX file|was not exported"):
        OpenVinoRuntime(path)
    with pytest.raises(DeviceError, match="--runtime openvino runs on the CPU, not on cuda"):
        load_runtime(model_file, runtime="openvino", device="cuda")


def test_absent_library_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match=r"OpenVINO is not installed; .*sonarstack\[openvino\]"):
        OpenVinoRuntime(tmp_path / "m.onnx")


DROPPED = """
import faulthandler, gc, os, signal, sys, threading
from pathlib import Path
import numpy as np
from app.detector.openvino_runtime import OpenVinoRuntime
faulthandler.enable()  # gives the first thread a signal stack, as pytest and many programs do
kept = [OpenVinoRuntime(Path(sys.argv[1]), threads=1)]
kept[0].detect(np.zeros((1, 64, 64), np.uint8), min_score=0.5)
drop = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
drop.start(); drop.join()
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_is_heard_after_another_thread_dropped_the_runtime(model_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, str(model_file)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
