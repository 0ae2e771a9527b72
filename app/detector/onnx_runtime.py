"""Runs an exported network with ONNX Runtime, behind the `Runtime` interface, without torch."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detector.candidates import CellAnswers
from app.detector.detections import Detections
from app.detector.exported import (
    BOXES,
    CLASS_LOGITS,
    FEATURES,
    IMAGES,
    PIXELS,
    SCORES,
    SHIPPED_ONNX,
    not_readable,
    pixel_blocks,
    read_exported,
    require_size,
)

CPU = ("CPUExecutionProvider",)
_FATAL = 4


class OnnxRuntime:
    """A network exported by `export_onnx`, ready to answer on the CPU; several threads may ask at once."""

    def __init__(self, path: Path = SHIPPED_ONNX, *, threads: int | None = None) -> None:
        """Open a file.

        Args:
            path: what `export_onnx` wrote.
            threads: threads of one operation; None lets ONNX Runtime take all cores.

        Raises:
            ModelError: no such file, not a network of ours, damaged, or of another version.
        """
        import onnxruntime

        model = read_exported(path)
        self._path, self._threads, self._content = path, threads, model.whole
        self._session = open_session(model.graph, path, threads)
        self._box_head = model.box_head
        self.class_names = model.class_names
        self.card = model.card
        on = "all cores" if threads is None else f"{threads} thread{'' if threads == 1 else 's'}"
        name, int8 = model.card.get("name", path.name), "" if model.int8 is None else ", int8"
        self.description = f"{name}, ONNX Runtime {onnxruntime.__version__} on cpu, {on}{int8}"

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every cell's box and class scores, before any threshold: (B, N, 4) in pixels and (B, N, C)."""
        require_size(images_BHW)
        boxes, scores = self._whole.run([BOXES, SCORES], {IMAGES: np.ascontiguousarray(images_BHW)})
        return boxes, scores

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        if not len(images_BHW):
            return []
        return self._answer(images_BHW).detect(self._box_head, min_score=min_score)

    @cached_property
    def _whole(self) -> Any:
        return open_session(self._content, self._path, self._threads)

    def _answer(self, images_BHW: NDArray[np.uint8]) -> CellAnswers:
        return CellAnswers(*self._session.run([CLASS_LOGITS, FEATURES], {PIXELS: pixel_blocks(images_BHW)}))


def open_session(
    content: bytes,
    path: Path,
    threads: int | None = None,
    *,
    providers: Sequence[Any] = CPU,
    library: Any = None,
) -> Any:
    """An ONNX Runtime session of a graph.

    Args:
        path: where it comes from, for the error.
        providers: as `onnxruntime.InferenceSession` takes them, best first.
        library: ONNX Runtime; None imports it.

    Raises:
        ModelError: it is no ONNX, or damaged.
    """
    if library is None:
        import onnxruntime

        library = onnxruntime
    # It would keep a database of its use in the user's cache folder.
    library.disable_telemetry_events()
    options = library.SessionOptions()
    options.log_severity_level = _FATAL  # what goes wrong is raised; the log would repeat it in colour
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return library.InferenceSession(content, options, providers=list(providers))
    except Exception as error:  # a class of exceptions for each way to be damaged
        raise not_readable(path, len(content)) from error
