"""An exported network in 8 bits: numbers' ranges are measured on pictures (calibration), then frozen into the file.

Weights by channel, signed; features unsigned, by tensor, rounded at every convolution's input, so that a runtime
computes whole residual blocks in integers. What stays in 32 bits: the class map's last layer, whose small differences
decide; the neck's sums over strides (in integers they lose .004 AP50 more and save a tenth of the time); and the box
branch, which is computed at a few cells only.
"""

import json
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detector.exported import CELLS, CLASS_LOGITS, IMAGES, parse
from app.errors import ModelError

INTEGER_OPS = ("Conv", "Relu", "Add")


def quantized(path: Path, batches: Iterable[NDArray[np.uint8]]) -> bytes:
    """The content of an exported 32-bit file, in 8 bits.

    Args:
        path: what `export_onnx` wrote, with 32-bit weights.
        batches: calibration pictures (B, H, W), the more alike those to come, the better.

    Raises:
        ModelError: no batch was given, or the file is none of ours.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    feed = _Feed(batches)
    nodes = _integer_nodes(parse(path.read_bytes(), path))
    with tempfile.TemporaryDirectory() as folder, _quiet():
        out = Path(folder) / "int8.onnx"
        quantize_static(
            str(path),
            str(out),
            feed,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(INTEGER_OPS),
            nodes_to_quantize=nodes,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        if not feed.count:
            raise ModelError("no picture to calibrate with; give a folder of tiles")
        return out.read_bytes()


def with_int8_figures(content: bytes, figures: dict[str, Any], path: Path) -> bytes:
    """The file with what its 8 bits lost in its metadata."""
    from onnx import helper

    model = parse(content, path)
    told = {p.key: p.value for p in model.metadata_props}
    helper.set_model_props(model, {**told, "int8": json.dumps(figures)})
    out: bytes = model.SerializeToString()
    return out


class _Feed:
    """Calibration pictures in the form that ONNX Runtime asks for."""

    def __init__(self, batches: Iterable[NDArray[np.uint8]]) -> None:
        self._batches = iter(batches)
        self.count = 0

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch by input name; None after the last."""
        batch = next(self._batches, None)
        if batch is None:
            return None
        self.count += len(batch)
        return {IMAGES: batch}


def _integer_nodes(model: Any) -> list[str]:
    """Names of the nodes between pixels and class map that are computed in integers."""
    needed, names = {CLASS_LOGITS}, []
    last = next(n for n in model.graph.node if CLASS_LOGITS in n.output)
    enlarged = {name for n in model.graph.node if n.op_type == "Resize" for name in n.output}
    for node in reversed(model.graph.node):
        if CELLS in node.output:
            break
        if needed & set(node.output):
            needed |= set(node.input)
            if node.op_type in INTEGER_OPS and node is not last and not enlarged & set(node.input):
                names.append(node.name)
    return names


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's advice to optimise the file first, which has nothing left to optimise."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
