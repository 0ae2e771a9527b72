"""Export to ONNX: grey pixels in, every cell's box and scores out, checked against torch before it is written."""

import io
import json
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from app.detector.boxes import decode_boxes
from app.detector.exported import BOXES, CELLS, CLASS_LOGITS, FORMAT, IMAGES, NECK, SCORES, VERSION
from app.detector.model_file import ModelCard
from app.detector.network import STRIDE_PX, SidescanTargetDetector
from app.detector.onnx_runtime import open_session
from app.detector.torch_runtime import fused
from app.errors import ModelError
from app.storage import atomic_write

OPSET = 17
CHECKED_SHAPES_BHW = ((1, 256, 256), (3, 64, 96), (2, 320, 192))
"""Batches that the exported network must answer like torch; none is the shape it was traced with."""
TRACED_SHAPE_BHW = (2, 128, 160)
MOST_BOX_DIFFERENCE_PX, MOST_SCORE_DIFFERENCE = 0.01, 1e-4
HALF_BOX_DIFFERENCE_PX, HALF_SCORE_DIFFERENCE = 1.0, 0.02
"""With 16-bit weights; trained networks moved by .02 px and 1e-4. One that moves further needs all 32 bits."""
LEAST_HALF_ELEMENTS = 64
"""Smaller tensors (biases, constants) stay 32-bit: they weigh nothing and shape the arithmetic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportCheck:
    """How the exported network differs from torch, over `CHECKED_SHAPES_BHW` of random pixels."""

    box_difference_px: float
    """Largest difference of any side of any cell's box."""
    score_difference: float
    size_bytes: int

    def as_dict(self) -> dict[str, float]:
        """For JSON and tables."""
        return asdict(self)


class _Exported(nn.Module):
    """What the graph holds: the scaling of pixels belongs to it, so that no consumer can get it wrong."""

    def __init__(self, model: SidescanTargetDetector) -> None:
        super().__init__()
        self.model = model

    def forward(self, images_BHW: Tensor) -> tuple[Tensor, ...]:
        """Boxes and scores as `predict` has them, then what `exported.py` cuts the graph at."""
        cells = self.model.stem[0](images_BHW.unsqueeze(1).to(torch.float32))
        neck = self.model.neck(cells / 255)
        class_logits = self.model.class_head(neck)
        boxes = decode_boxes(self.model.box_head(neck), stride_px=STRIDE_PX)
        return boxes, class_logits.sigmoid().flatten(2).transpose(1, 2), cells, neck, class_logits


def export_onnx(
    model: SidescanTargetDetector, path: Path, *, card: ModelCard, half: bool = False
) -> ExportCheck:
    """Write an ONNX file that `OnnxRuntime` opens; batch, height and width are free, in steps of 32 px.

    Args:
        model: stays as it is.
        card: travels in the file's metadata, with the class names.
        half: store weights with 16 bits (half the file); they are 32-bit again once the file is open, so the
            network is as fast as before.

    Raises:
        ModelError: the exported network answers otherwise than torch; nothing is written.
        OutputError: the file cannot be written.
    """
    plain = fused(model).cpu().float().eval()
    graph = _trace(_Exported(plain))
    if half:
        _store_in_16_bits(graph)
    _set_metadata(
        graph,
        format=FORMAT,
        version=str(VERSION),
        class_names=json.dumps(model.config.class_names),
        card=json.dumps(asdict(card)),
    )
    content: bytes = graph.SerializeToString()
    check = _compare(_Exported(plain), content, path)
    limits = (HALF_BOX_DIFFERENCE_PX, HALF_SCORE_DIFFERENCE)
    if not half:
        limits = (MOST_BOX_DIFFERENCE_PX, MOST_SCORE_DIFFERENCE)
    if not (check.box_difference_px <= limits[0] and check.score_difference <= limits[1]):
        raise ModelError(
            f"the exported network differs from torch by {check.box_difference_px:.3g} px and "
            f"{check.score_difference:.3g} in score, allowed are {limits[0]} and {limits[1]}; "
            + ("export without 16-bit weights" if half else "is the model trained?")
        )
    with atomic_write(path) as stream:
        stream.write(content)
    return check


def _trace(module: nn.Module) -> Any:
    import onnx

    example = torch.zeros(TRACED_SHAPE_BHW, dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # The exporter by tracing: the newer one of torch 2.15 takes 11 s instead of 0.4 s, and its graph fails
        # in ONNX Runtime for other sizes than the example's ("invalid expand shape").
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module,
            (example,),
            buffer,  # type: ignore[arg-type]  # the tracing exporter takes a stream as well as a path
            dynamo=False,
            opset_version=OPSET,
            input_names=[IMAGES],
            output_names=[BOXES, SCORES, CELLS, NECK, CLASS_LOGITS],
            dynamic_axes={
                IMAGES: {0: "batch", 1: "height", 2: "width"},
                BOXES: {0: "batch", 1: "cells"},
                SCORES: {0: "batch", 1: "cells"},
            },
        )
    graph = onnx.load_from_string(buffer.getvalue())
    del graph.graph.output[2:]  # their tensors keep the names
    onnx.checker.check_model(graph)
    return graph


def _store_in_16_bits(graph: Any) -> None:
    """Turn each large 32-bit weight into a 16-bit one and a cast back, which runtimes fold when they open it."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in graph.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < LEAST_HALF_ELEMENTS:
            continue
        name, values = weight.name, numpy_helper.to_array(weight)
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_16"))
        casts.append(helper.make_node("Cast", [f"{name}_16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)


def _set_metadata(graph: Any, **values: str) -> None:
    from onnx import helper

    helper.set_model_props(graph, values)
    graph.producer_name = "sonarstack"


def _compare(module: nn.Module, content: bytes, path: Path) -> ExportCheck:
    session = open_session(content, path)
    worst = np.zeros(2)
    for images in _random_images():
        with torch.inference_mode():
            expected = module(torch.from_numpy(images))[:2]
        answers = session.run([BOXES, SCORES], {IMAGES: images})
        both = zip(expected, answers, strict=True)
        worst = np.maximum(worst, [np.abs(e.numpy() - a).max() for e, a in both])
    return ExportCheck(
        box_difference_px=float(worst[0]), score_difference=float(worst[1]), size_bytes=len(content)
    )


def _random_images() -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
    rng = np.random.default_rng(0)
    for shape in CHECKED_SHAPES_BHW:
        yield rng.integers(0, 256, shape, dtype=np.uint8)
