"""Runs an exported network with ONNX Runtime, behind the `Runtime` interface, without torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections
from app.detector.nms import select
from app.errors import ModelError

FORMAT = "sonarstack-onnx"
VERSION = 1
SHIPPED_ONNX = Path(__file__).parent / "weights" / "sonarstack.onnx"
IMAGES, BOXES, SCORES = "images", "boxes", "scores"
"""Names of the graph's input (B, H, W) uint8 and outputs (B, N, 4) and (B, N, C) float32."""
SIZE_MULTIPLE_PX = 32
"""As in `network.py`, which cannot be imported without torch."""
_FATAL = 4


class OnnxRuntime:
    """A network exported by `export_onnx`, ready to answer on the CPU.

    Raises:
        ModelError: no such file, not a network of ours, damaged, or of another version.
    """

    def __init__(self, path: Path = SHIPPED_ONNX, *, threads: int | None = None) -> None:
        """Open a file.

        Args:
            path: what `export_onnx` wrote.
            threads: threads of one operation; None lets ONNX Runtime take all cores.
        """
        self._session = _open(path, threads)
        told = _metadata(self._session, path)
        self.class_names: tuple[str, ...] = tuple(json.loads(told["class_names"]))
        self.card: dict[str, Any] = json.loads(told["card"])
        """The model card that was exported with it."""
        import onnxruntime

        on = "all cores" if threads is None else f"{threads} threads"
        name = self.card.get("name", path.name)
        self.description = f"{name}, ONNX Runtime {onnxruntime.__version__} on cpu, {on}"

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every cell's box and class scores, before any threshold: (B, N, 4) in pixels and (B, N, C)."""
        if images_BHW.shape[1] % SIZE_MULTIPLE_PX or images_BHW.shape[2] % SIZE_MULTIPLE_PX:
            raise ValueError(
                f"images of {images_BHW.shape[1]} x {images_BHW.shape[2]} px: "
                f"height and width must be multiples of {SIZE_MULTIPLE_PX}; pad them"
            )
        boxes, scores = self._session.run([BOXES, SCORES], {IMAGES: np.ascontiguousarray(images_BHW)})
        return boxes, scores

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        if not len(images_BHW):
            return []
        boxes_BN4, scores_BNC = self.predict(images_BHW)
        return [select(b, s, min_score=min_score) for b, s in zip(boxes_BN4, scores_BNC, strict=True)]


def _open(path: Path, threads: int | None) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check --model") from error
    return open_session(content, path, threads)


def open_session(content: bytes, path: Path, threads: int | None = None) -> Any:
    """An ONNX Runtime session of a file's content; see `OnnxRuntime` for what is raised."""
    import onnxruntime

    # It would keep a database of its use in the user's cache folder.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL  # what goes wrong is raised; the log would repeat it in colour
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a class of exceptions for each way to be damaged
        raise ModelError(
            f"{path} is not a readable ONNX file ({len(content)} bytes); "
            "export it again with `python -m app export`, or use --runtime torch for a .pt file"
        ) from error


def _metadata(session: Any, path: Path) -> dict[str, str]:
    told: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if told.get("format") != FORMAT:
        raise ModelError(f"{path} was not exported by sonarstack; export one with `python -m app export`")
    if told.get("version") != str(VERSION):
        raise ModelError(
            f"{path} has export format {told.get('version')}, this program reads {VERSION}; "
            "export it again with `python -m app export`"
        )
    return told
