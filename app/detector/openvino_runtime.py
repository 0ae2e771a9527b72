"""Runs an exported network with OpenVINO on the CPU, behind the `Runtime` interface, without torch."""

import threading
from collections import Counter
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.detector.candidates import CellAnswers
from app.detector.detections import Detections
from app.detector.exported import (
    BOXES,
    CLASS_LOGITS,
    FEATURES,
    SCORES,
    SHIPPED_ONNX,
    not_readable,
    pixel_blocks,
    read_exported,
    require_size,
)
from app.device.cores import usable_cores
from app.errors import DeviceError

Precision = Literal["f32", "bf16"]
Shape = tuple[int, ...]
SETTLED = 50
"""Answers after which a further shape gets a network of its own. It is a tenth faster than the one for any shape
(8 bits, 640 px: 7.9 ms against 9.0), and takes half a second to compile."""
MOST_SHAPES = 4


class OpenVinoRuntime:
    """A network exported by `export_onnx`, compiled for this CPU; several threads may ask at once."""

    def __init__(
        self, path: Path = SHIPPED_ONNX, *, threads: int | None = None, precision: Precision = "f32"
    ) -> None:
        """Open a file.

        Args:
            path: what `export_onnx` wrote, of 32 or of 8 bits.
            threads: threads of one operation; None lets OpenVINO take all cores.
            precision: format of what is not 8-bit. OpenVINO's own choice is bf16 wherever the CPU knows it, which
                is half as fast as float32 on CPUs without AMX (measured on an Emerald Rapids without it).

        Raises:
            ModelError: no such file, not a network of ours, damaged, or of another version.
            DeviceError: OpenVINO is not installed.
        """
        openvino = import_openvino()
        model = read_exported(path)
        cores = usable_cores()
        each = min(threads or cores, cores)
        # As many answers at once as there are groups of cores, each on its own.
        settings = {
            "INFERENCE_NUM_THREADS": cores // each * each,
            "NUM_STREAMS": cores // each,
            "INFERENCE_PRECISION_HINT": precision,
            "ENABLE_CPU_PINNING": False,  # other programs use the cores too
        }
        self._core, self._settings, self._content = the_core(), settings, model.whole
        try:
            self._graph = self._core.read_model(model.graph)
        except RuntimeError as error:
            raise not_readable(path, len(model.graph)) from error
        self._of_thread, self._lock = threading.local(), threading.Lock()
        self._compiled: dict[Shape | None, Any] = {}
        self._asked: Counter[Shape] = Counter()
        self._box_head = model.box_head
        self.class_names = model.class_names
        self.card = model.card
        form = "int8" if model.int8 is not None else {"f32": "float32", "bf16": "bfloat16"}[precision]
        name, version = model.card.get("name", path.name), openvino.__version__.split("-")[0]
        self.description = (
            f"{name}, OpenVINO {version} on cpu, {each} thread{'' if each == 1 else 's'}, {form}"
        )

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every cell's box and class scores, before any threshold: (B, N, 4) in pixels and (B, N, C)."""
        require_size(images_BHW)
        # A request of its own each time: the compiled network's one request refuses a second thread.
        answers = self._whole.create_infer_request().infer([np.ascontiguousarray(images_BHW)])
        return answers[BOXES], answers[SCORES]

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        if not len(images_BHW):
            return []
        return self._answer(images_BHW).detect(self._box_head, min_score=min_score)

    @cached_property
    def _whole(self) -> Any:
        return self._core.compile_model(self._core.read_model(self._content), "CPU", self._settings)

    def _answer(self, images_BHW: NDArray[np.uint8]) -> CellAnswers:
        blocks = pixel_blocks(images_BHW)
        fitting, compiled = self._fitting(blocks.shape)
        requests = vars(self._of_thread)
        key = str(fitting)
        if key not in requests:
            requests[key] = compiled.create_infer_request()
        # The answers stay in the request's own memory until this thread asks again, and are used up before.
        answers = requests[key].infer([blocks], share_inputs=True, share_outputs=True)
        return CellAnswers(answers[CLASS_LOGITS], answers[FEATURES])

    def _fitting(self, shape: Shape) -> tuple[Shape | None, Any]:
        """The network compiled for this shape alone where that pays, else for any (None)."""
        with self._lock:
            self._asked[shape] += 1
            alone = shape in self._compiled or (
                len(self._compiled) < MOST_SHAPES and (not self._compiled or self._asked[shape] > SETTLED)
            )
            fitting = shape if alone else None
            if fitting not in self._compiled:
                graph = self._graph.clone()
                if fitting is not None:
                    graph.reshape({0: list(fitting)})
                self._compiled[fitting] = self._core.compile_model(graph, "CPU", self._settings)
            return fitting, self._compiled[fitting]


@cache
def the_core() -> Any:
    """OpenVINO's one entry, kept for the life of the process.

    Its CPU plugin gives the thread that loads it another signal stack, and unmaps that with the last Core, whichever
    thread drops it (sigaltstack read before and after, 2026.4): the next signal to the first thread, such as the
    SIGTERM that asks for a checkpoint, would then end the process with SIGSEGV.

    Raises:
        DeviceError: OpenVINO is not installed.
    """
    return import_openvino().Core()


def import_openvino() -> Any:
    """The library, which only an extra of the project brings.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise DeviceError(
            "OpenVINO is not installed; install it with `pip install 'sonarstack[openvino]'`, "
            "or use --runtime onnx"
        ) from error
    return openvino


def cpu_formats() -> frozenset[str]:
    """What OpenVINO computes in on this CPU, such as FP32, BF16, INT8."""
    return frozenset(the_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
