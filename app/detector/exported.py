"""The exported file, and what the project's own runtimes take out of it: the network up to the box branch.

The file itself is for anybody: grey pixels in, every cell's box and scores out. Own runtimes leave the box branch
to `candidates.py` and hand the pixels over as the first layer wants them; both are cut out of the same file when
it is opened, so that there is one network and no second file to go out of step.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.detector.candidates import BoxHead
from app.errors import ModelError

FORMAT = "sonarstack-onnx"
VERSION = 2
SHIPPED_ONNX = Path(__file__).parent / "weights" / "sonarstack.onnx"
IMAGES, BOXES, SCORES = "images", "boxes", "scores"
"""Names of the file's input (B, H, W) uint8 and outputs (B, N, 4) and (B, N, C) float32."""
CELLS, NECK, CLASS_LOGITS = "cells", "neck", "class_logits"
"""Names of tensors inside: pixels by blocks of 4 x 4 (B, 16, H/4, W/4), features at stride 8, class map."""
BLOCK_PX = 4
SIZE_MULTIPLE_PX = 32
"""As in `network.py`, which cannot be imported without torch."""
PIXELS, FEATURES = "pixels_BhwP", "neck_BhwF"
"""Names of the cut network's input and second output."""
_BOX_HEAD = ("box_head.0.0.weight", "box_head.0.0.bias", "box_head.2.weight", "box_head.2.bias")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedModel:
    """An exported file, opened."""

    graph: bytes
    """ONNX: `PIXELS` (B, H/4, W/4, 16) uint8 in, `CLASS_LOGITS` (B, C, h, w) and `FEATURES` (B, h, w, F) out."""
    whole: bytes
    """The file itself: `IMAGES` in, `BOXES` and `SCORES` of every cell out."""
    box_head: BoxHead
    class_names: tuple[str, ...]
    card: dict[str, Any]
    """The model card that was exported with it."""
    int8: dict[str, Any] | None
    """What an 8-bit network lost, as `app export --int8` measured it; None for one of 32 bits."""

    @property
    def precision(self) -> str:
        """float32 or int8."""
        return "float32" if self.int8 is None else "int8"


def read_exported(path: Path) -> ExportedModel:
    """Open a file that `export_onnx` wrote.

    Raises:
        ModelError: no such file, not a network of ours, damaged, or of another version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check the path") from error
    model = parse(content, path)
    told = _metadata(model, path)
    head, features = _box_head(model, path)
    return ExportedModel(
        graph=_cut(model, features),
        whole=content,
        box_head=head,
        class_names=tuple(json.loads(told["class_names"])),
        card=json.loads(told["card"]),
        int8=json.loads(told["int8"]) if "int8" in told else None,
    )


def parse(content: bytes, path: Path) -> Any:
    """The ONNX model in a file's content.

    Raises:
        ModelError: it is none, or damaged.
    """
    import onnx

    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf has its own class of exceptions for each way to be damaged
        raise not_readable(path, len(content)) from error
    if not model.graph.node:
        raise not_readable(path, len(content))
    return model


def not_readable(path: Path, size_bytes: int) -> ModelError:
    """The error for a file that is no ONNX, or damaged."""
    return ModelError(
        f"{path} is not a readable ONNX file ({size_bytes} bytes); "
        "export it again with `python -m app export`, or use --runtime torch for a .pt file"
    )


def pixel_blocks(images_BHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(B, H, W) to (B, H/4, W/4, 16): blocks of 4 x 4 pixels, row by row, as torch's PixelUnshuffle orders them.

    Four pixels of a row move as one 32-bit number: .04 ms for 640 x 640 px, where OpenVINO's own transposition
    takes .5.

    Raises:
        ValueError: a side is not a multiple of 32.
    """
    require_size(images_BHW)
    batch, height, width = images_BHW.shape
    fours = np.ascontiguousarray(images_BHW).view(np.uint32)
    fours = fours.reshape(batch, height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX)
    blocks = np.empty((batch, height // BLOCK_PX, width // BLOCK_PX, BLOCK_PX), np.uint32)
    for row in range(BLOCK_PX):
        blocks[..., row] = fours[:, :, row]
    return blocks.view(np.uint8)


def require_size(images_BHW: NDArray[np.uint8]) -> None:
    """Refuse sizes that the network's strides do not divide.

    Raises:
        ValueError: a side is not a multiple of 32.
    """
    height, width = images_BHW.shape[1:]
    if height % SIZE_MULTIPLE_PX or width % SIZE_MULTIPLE_PX:
        raise ValueError(
            f"images of {height} x {width} px: "
            f"height and width must be multiples of {SIZE_MULTIPLE_PX}; pad them"
        )


def _metadata(model: Any, path: Path) -> dict[str, str]:
    told = {prop.key: prop.value for prop in model.metadata_props}
    if told.get("format") != FORMAT:
        raise ModelError(f"{path} was not exported by sonarstack; export one with `python -m app export`")
    if told.get("version") != str(VERSION):
        raise ModelError(
            f"{path} has export format {told.get('version')}, this program reads {VERSION}; "
            "export it again with `python -m app export`"
        )
    return told


def _box_head(model: Any, path: Path) -> tuple[BoxHead, str]:
    """The box branch's weights, and the tensor that it looks at: the neck, as 8-bit integers where there are some."""
    from onnx import numpy_helper

    values = {i.name: i for i in model.graph.initializer}
    weights = []
    for end in _BOX_HEAD:
        found = next((v for k, v in values.items() if k.removesuffix("_16").endswith(end)), None)
        if found is None:
            raise ModelError(f"{path} lacks {end}; export it again with `python -m app export`")
        weights.append(numpy_helper.to_array(found))
    head = BoxHead.from_convolutions(*weights)
    integers = next(
        (n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == NECK), None
    )
    if integers is None:
        return head, NECK
    scale, zero = (numpy_helper.to_array(values[name]) for name in integers.input[1:3])
    return replace(head, neck_scale=float(scale), neck_zero=int(zero)), integers.output[0]


def _cut(model: Any, features: str) -> bytes:
    """The part of the graph between pixels and class map, with the neck as a second output."""
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT if features == NECK else TensorProto.UINT8
    nodes = [n for n in model.graph.node if CELLS not in n.output]
    nodes = [
        helper.make_node("Transpose", [PIXELS], ["pixels_BPhw"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["pixels_BPhw"], [CELLS], to=TensorProto.FLOAT),
        *nodes,
        helper.make_node("Transpose", [features], [FEATURES], perm=[0, 2, 3, 1]),
    ]
    needed, kept = {CLASS_LOGITS, FEATURES}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    graph = helper.make_graph(
        kept[::-1],
        "trunk",
        [helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["batch", "h4", "w4", BLOCK_PX**2])],
        [
            helper.make_tensor_value_info(CLASS_LOGITS, TensorProto.FLOAT, ["batch", None, "h8", "w8"]),
            helper.make_tensor_value_info(FEATURES, kind, ["batch", "h8", "w8", None]),
        ],
        [i for i in model.graph.initializer if i.name in needed],
    )
    cut = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    content: bytes = cut.SerializeToString()
    return content
