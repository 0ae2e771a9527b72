"""What is asked of ONNX Runtime for TensorRT; no engine is built here, the library is a stand-in."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from app.detector.export import export_onnx
from app.detector.onnx_runtime import OnnxRuntime
from app.detector.runtimes import load_runtime
from app.detector.tensorrt_runtime import CUDA, TENSORRT, TensorRtRuntime, import_with_tensorrt
from app.errors import DeviceError
from tests.app.detector.test_export import CARD, lively_model


class Library:
    """ONNX Runtime that notes what it is asked for and computes on the CPU."""

    __version__ = "1.0"
    SessionOptions = onnxruntime.SessionOptions
    disable_telemetry_events = staticmethod(onnxruntime.disable_telemetry_events)

    def __init__(self, running: list[str]) -> None:
        self.running = running
        self.asked: list[Any] = []

    def InferenceSession(self, content: bytes, options: Any, providers: list[Any]) -> Any:  # noqa: N802
        self.asked = providers
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return SimpleNamespace(get_providers=lambda: self.running, run=session.run)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "best.onnx"
    export_onnx(lively_model(), path, card=CARD)
    return path


def test_engine_is_asked_for_with_cache_and_format_and_answers(model_file: Path, tmp_path: Path) -> None:
    library = Library([TENSORRT, CUDA, "CPUExecutionProvider"])
    runtime = TensorRtRuntime(model_file, cache=tmp_path / "engines", device=1, library=library)
    (name, options), (cuda, cuda_options), cpu = library.asked
    assert (name, cuda, cpu) == (TENSORRT, CUDA, "CPUExecutionProvider")
    assert options["device_id"] == cuda_options["device_id"] == 1
    assert options["trt_fp16_enable"] is True
    assert options["trt_engine_cache_path"] == str(tmp_path / "engines")
    assert (tmp_path / "engines").is_dir()
    assert runtime.description == "small, TensorRT through ONNX Runtime 1.0 on cuda:1, float16"
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    for one, other in zip(
        runtime.detect(images, min_score=0.3),
        OnnxRuntime(model_file, threads=1).detect(images, min_score=0.3),
        strict=True,
    ):
        assert len(one)
        assert one.boxes_xyxy_px == pytest.approx(other.boxes_xyxy_px, abs=1e-3)


def test_silent_fall_back_to_another_provider_is_an_error(model_file: Path, tmp_path: Path) -> None:
    library = Library([CUDA, "CPUExecutionProvider"])
    with pytest.raises(DeviceError, match=r"TensorRT did not start .*goes on with CUDAExecutionProvider"):
        TensorRtRuntime(model_file, cache=tmp_path, library=library)


def test_absence_is_told(model_file: Path) -> None:
    if TENSORRT in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has TensorRT here")
    with pytest.raises(DeviceError, match="ONNX Runtime has no TensorRT here; install onnxruntime-gpu"):
        import_with_tensorrt()
    with pytest.raises(DeviceError, match="runs on an NVIDIA GPU, not on cpu"):
        load_runtime(model_file, runtime="tensorrt", device="cpu")
