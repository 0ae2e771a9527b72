"""8 bits: the graph computes in integers, answers nearly the same, and is refused where it loses accuracy."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from app.dataset.formats.yolo_writer import write_yolo_tiles
from app.dataset.read import read_tiles
from app.dataset.tiles import TileSet
from app.detector.exported import read_exported
from app.detector.network import SidescanTargetDetector
from app.detector.onnx_runtime import OnnxRuntime
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.errors import ModelError
from app.evaluation import int8
from app.evaluation.int8 import export_int8
from tests.app.detector.test_export import CARD, lively_model


def model_of_small_boxes() -> SidescanTargetDetector:
    """Boxes of about two cells, which fit into a tile of 96 px."""
    model = lively_model()
    with torch.no_grad():
        model.box_head[2].weight *= 0.2
        model.box_head[2].bias.copy_(-1.5 * torch.arange(16).repeat(4))
    return model


RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (10, 96, 96), dtype=np.uint8)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    """Tiles whose truth is what the 32-bit network finds in them: its AP50 is 1."""
    torch_runtime = TorchRuntime(
        model_of_small_boxes(), plan=plan_device(choose_device("cpu"), dtype="float32")
    )
    found = torch_runtime.detect(IMAGES, min_score=0.4)
    root = tmp_path_factory.mktemp("tiles") / "set"
    made = ((image, d.boxes_xyxy_px.clip(0, 96), d.labels) for image, d in zip(IMAGES, found, strict=True))
    write_yolo_tiles(made, root, ("target", "ship"))
    read, _ = read_tiles(root)
    assert sum(len(t.labels) for t in read.tiles) > 20
    return read


def test_written_file_computes_in_integers_and_says_what_it_lost(
    tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "MOST_INT8_LOSS", 1.0)
    path = tmp_path / "best.int8.onnx"
    check = export_int8(
        model_of_small_boxes(),
        path,
        card=CARD,
        calibration=tiles.subset(range(4)),
        evaluation=tiles.subset(range(4, 10)),
        size_px=96,
    )
    assert check.ap50_float32 > 0.9
    assert check.ap50_lost == pytest.approx(check.ap50_float32 - check.ap50_int8)
    assert (check.calibrated_tiles, check.evaluated_tiles) == (4, 6)
    model = read_exported(path)
    assert model.precision == "int8"
    assert model.int8 == json.loads(json.dumps(check.as_dict()))
    graph = onnx.load_from_string(model.graph).graph
    features = next(o for o in graph.output if o.name == "neck_BhwF")
    assert features.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    convolutions = [n for n in graph.node if n.op_type == "Conv"]
    integer = [n for n in convolutions if n.input[1].endswith("DequantizeLinear_Output")]
    assert len(convolutions) - len(integer) == 1  # the class map's last layer
    enlarged = {name for n in graph.node if n.op_type == "Resize" for name in n.output}
    in_32_bits = [n for n in graph.node if n.op_type == "Add" and enlarged & set(n.input)]
    assert len(in_32_bits) == len(enlarged) == 2  # the neck's sums over strides
    runtime = OnnxRuntime(path, threads=1)
    assert runtime.description.endswith(", int8")
    boxes, scores = runtime.predict(IMAGES[:2])
    plain = model_of_small_boxes()
    reference = TorchRuntime(plain, plan=plan_device(choose_device("cpu"), dtype="float32"))
    true_boxes, true_scores = reference.predict(IMAGES[:2])
    assert true_scores.std() > 0.05
    assert np.abs(scores - true_scores).mean() < 0.1 * true_scores.std()
    assert np.abs(boxes - true_boxes).mean() < 2


def test_loss_of_accuracy_is_refused_with_the_figures(
    tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "MOST_INT8_LOSS", -1.5)  # so that any loss is too much
    with pytest.raises(
        ModelError, match=r"8 bits lose .* AP50 \(.* to .* on 6 tiles with \d+ boxes\), allowed is"
    ):
        export_int8(
            model_of_small_boxes(),
            tmp_path / "best.int8.onnx",
            card=CARD,
            calibration=tiles.subset(range(4)),
            evaluation=tiles.subset(range(4, 10)),
            size_px=96,
        )
    assert list(tmp_path.iterdir()) == []


def test_tiles_that_cannot_show_a_loss_are_refused(tiles: TileSet, tmp_path: Path) -> None:
    bare = tuple(
        replace(tile, boxes_xyxy_px=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64))
        for tile in tiles.tiles
    )
    with pytest.raises(ModelError, match="AP50 is 0 on 6 tiles with 0 boxes; nothing was written"):
        export_int8(
            model_of_small_boxes(),
            tmp_path / "best.int8.onnx",
            card=CARD,
            calibration=tiles.subset(range(4)),
            evaluation=replace(tiles, tiles=bare).subset(range(4, 10)),
            size_px=96,
        )
    assert list(tmp_path.iterdir()) == []


def test_calibration_on_other_pictures_than_those_to_come_is_caught(tiles: TileSet, tmp_path: Path) -> None:
    dark = tmp_path / "dark"
    black = (
        (np.zeros((96, 96), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64)) for _ in range(2)
    )
    write_yolo_tiles(black, dark, ("target", "ship"))
    useless, _ = read_tiles(dark)
    with pytest.raises(ModelError, match="8 bits lose"):
        export_int8(
            model_of_small_boxes(),
            tmp_path / "best.int8.onnx",
            card=CARD,
            calibration=useless,
            evaluation=tiles,
            size_px=96,
        )
    assert not (tmp_path / "best.int8.onnx").exists()
