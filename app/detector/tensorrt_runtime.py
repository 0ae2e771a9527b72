"""Runs an exported network with TensorRT on an NVIDIA GPU, through ONNX Runtime's execution provider for it.

Not tried on a GPU yet: what is asked of ONNX Runtime is tested, what TensorRT then does with it is not.
Source: ONNX Runtime's page on the TensorRT execution provider (options, shape profiles, engine cache).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.detector.candidates import CellAnswers
from app.detector.detections import Detections
from app.detector.exported import CLASS_LOGITS, FEATURES, PIXELS, pixel_blocks, read_exported
from app.detector.onnx_runtime import CPU, open_session
from app.errors import DeviceError

TENSORRT, CUDA = "TensorrtExecutionProvider", "CUDAExecutionProvider"
Precision = Literal["float32", "float16"]


class TensorRtRuntime:
    """A network exported by `export_onnx`, as a TensorRT engine, which is built for the sizes it meets.

    Building takes from seconds to minutes; engines are kept in `cache` and used again.
    """

    def __init__(
        self,
        path: Path,
        *,
        cache: Path,
        device: int = 0,
        precision: Precision = "float16",
        library: Any = None,
    ) -> None:
        """Open a file.

        Args:
            path: what `export_onnx` wrote, of 32 bits.
            cache: folder for engines.
            device: number of the GPU.
            precision: format that TensorRT may compute in.
            library: ONNX Runtime; None imports it.

        Raises:
            ModelError: no such file, not a network of ours, damaged, or of another version.
            DeviceError: ONNX Runtime has no TensorRT here, or could not start it.
        """
        library = import_with_tensorrt() if library is None else library
        model = read_exported(path)
        cache.mkdir(parents=True, exist_ok=True)
        providers = tensorrt_providers(cache, device=device, precision=precision)
        self._session = open_session(model.graph, path, providers=providers, library=library)
        require_running(self._session.get_providers())
        self._box_head = model.box_head
        self.class_names = model.class_names
        name = model.card.get("name", path.name)
        self.description = (
            f"{name}, TensorRT through ONNX Runtime {library.__version__} on cuda:{device}, {precision}"
        )

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        if not len(images_BHW):
            return []
        answers = self._session.run([CLASS_LOGITS, FEATURES], {PIXELS: pixel_blocks(images_BHW)})
        return CellAnswers(*answers).detect(self._box_head, min_score=min_score)


def tensorrt_providers(cache: Path, *, device: int, precision: Precision) -> list[Any]:
    """What ONNX Runtime is asked for, best first: what TensorRT cannot take goes to CUDA, then to the CPU."""
    options = {
        "device_id": device,
        "trt_fp16_enable": precision == "float16",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(cache),
    }
    return [(TENSORRT, options), (CUDA, {"device_id": device}), *CPU]


def import_with_tensorrt() -> Any:
    """ONNX Runtime, where it was built with TensorRT.

    Raises:
        DeviceError: it was not.
    """
    import onnxruntime

    if TENSORRT not in onnxruntime.get_available_providers():
        raise DeviceError(
            "ONNX Runtime has no TensorRT here; install onnxruntime-gpu and tensorrt in place of onnxruntime, "
            "or use --runtime torch"
        )
    return onnxruntime


def require_running(providers: Sequence[str]) -> None:
    """Refuse a session that has silently gone on without TensorRT, as ONNX Runtime does where it fails to start.

    Raises:
        DeviceError: TensorRT is not among the session's providers.
    """
    if TENSORRT not in providers:
        raise DeviceError(
            f"TensorRT did not start (ONNX Runtime goes on with {', '.join(providers)}); are the TensorRT "
            "libraries installed, and of the version that onnxruntime-gpu was built with?"
        )
