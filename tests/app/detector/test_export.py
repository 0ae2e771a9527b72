"""An exported network answers like torch's, for any batch and size, and is not written otherwise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from app.detector import export
from app.detector.export import export_onnx
from app.detector.model_file import ModelCard
from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.detector.onnx_runtime import OnnxRuntime
from app.errors import ModelError

SMALL = DetectorConfig(class_names=("target", "ship"), widths=(8, 16, 16, 32), neck_width=16)
CARD = ModelCard(name="small", figures={"ap50": 0.5})


def lively_model(seed: int = 0) -> SidescanTargetDetector:
    """Random weights whose answers differ from cell to cell, unlike those of a fresh network."""
    torch.manual_seed(seed)
    model = SidescanTargetDetector(SMALL)
    for head in (model.class_head, model.box_head):
        nn.init.normal_(head[2].weight, std=0.5)
        nn.init.normal_(head[2].bias, std=0.5)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # statistics of the one batch below, whole
    model.train()(torch.rand(8, 1, 96, 96))
    return model.eval()


def expected(model: SidescanTargetDetector, images: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    with torch.inference_mode():
        answer = model.predict(torch.from_numpy(images).unsqueeze(1).float() / 255)
    return [a.numpy() for a in answer]


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 160), (3, 192, 96)])
def test_answers_like_torch_for_any_batch_and_size(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    model = lively_model()
    check = export_onnx(model, tmp_path / "m.onnx", card=CARD)
    images = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    boxes, scores = OnnxRuntime(tmp_path / "m.onnx", threads=1).predict(images)
    true_boxes, true_scores = expected(model, images)
    assert true_scores.std() > 0.05  # else any constant would pass
    assert true_boxes[..., 2].std() > 5
    assert boxes == pytest.approx(true_boxes, abs=2e-3)
    assert scores == pytest.approx(true_scores, abs=1e-5)
    assert 0 < check.box_difference_px < 2e-3
    assert check.score_difference < 1e-5
    assert check.size_bytes == (tmp_path / "m.onnx").stat().st_size


def test_sixteen_bit_weights_halve_the_file_and_barely_move_the_answer(tmp_path: Path) -> None:
    model = lively_model()
    full = export_onnx(model, tmp_path / "full.onnx", card=CARD)
    half = export_onnx(model, tmp_path / "half.onnx", card=CARD, half=True)
    assert half.size_bytes < 0.7 * full.size_bytes
    assert full.box_difference_px < half.box_difference_px < 1
    assert half.score_difference < 0.02


def test_file_carries_classes_card_and_version(tmp_path: Path) -> None:
    export_onnx(lively_model(), tmp_path / "m.onnx", card=CARD)
    told = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert told["format"] == "sonarstack-onnx"
    assert told["version"] == "2"
    assert json.loads(told["class_names"]) == ["target", "ship"]
    assert json.loads(told["card"])["figures"] == {"ap50": 0.5}


def test_model_stays_as_it_was(tmp_path: Path) -> None:
    model = lively_model().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    export_onnx(model, tmp_path / "m.onnx", card=CARD, half=True)
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_network_that_answers_otherwise_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = export._trace

    def wrong(module: nn.Module) -> Any:
        graph = trace(module)
        weight = max(graph.graph.initializer, key=lambda w: len(w.raw_data))
        weight.raw_data = (np.frombuffer(weight.raw_data, np.float32) * 1.01).astype(np.float32).tobytes()
        return graph

    monkeypatch.setattr(export, "_trace", wrong)
    with pytest.raises(ModelError, match="the exported network differs from torch by") as caught:
        export_onnx(lively_model(), tmp_path / "m.onnx", card=CARD)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    model = lively_model()
    nn.init.constant_(model.class_head[2].bias, float("nan"))
    with pytest.raises(ModelError, match="is the model trained"):
        export_onnx(model, tmp_path / "m.onnx", card=CARD)
    assert list(tmp_path.iterdir()) == []
