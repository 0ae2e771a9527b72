"""The reference learns through the same three calls as the project's own network."""

import numpy as np
import pytest
import torch

from app.detector.nms import select
from app.detector.reference import ReferenceConfig, ReferenceDetector
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import choose_device
from app.device.plan import plan_device
from tests.app.device.pretended_gpu import pretended_gpu

CONFIG = ReferenceConfig(class_names=("target", "ship"), neck_width=32, head_depth=1)
BOX = torch.tensor([[14.0, 10.0, 50.0, 44.0]])
SHIP = torch.tensor([1])


@pytest.mark.slow
def test_learns_one_picture_by_heart() -> None:
    torch.manual_seed(0)
    picture = torch.full((2, 1, 64, 64), 0.3)
    picture[..., 10:44, 14:50] = 0.9
    model = ReferenceDetector(CONFIG).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(30):
        parts = model.loss(model(picture), [BOX, BOX], [SHIP, SHIP])
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        losses.append(float(parts["loss"].detach()))
    assert losses[-1] < 0.6 * losses[0]
    with torch.inference_mode():
        boxes, scores = model.predict(picture)
    found = select(boxes[0].numpy(), scores[0].numpy(), min_score=0.1)
    assert found.labels[0] == 1
    assert found.boxes_xyxy_px[0] == pytest.approx(BOX[0].numpy(), abs=5)


def test_answers_have_the_shapes_of_our_network() -> None:
    model = ReferenceDetector(CONFIG).eval()
    with torch.inference_mode():
        boxes, scores = model.predict(torch.rand(2, 1, 64, 96))
    places = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2 + 1 * 1
    assert boxes.shape == (2, places, 4)
    assert scores.shape == (2, places, 2)
    assert 0 <= float(scores.min()) <= float(scores.max()) <= 1


def test_runs_behind_the_same_runtime() -> None:
    torch.manual_seed(0)
    model = ReferenceDetector(CONFIG).eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96), dtype=np.uint8)
    runtime = TorchRuntime(model, plan=plan_device(choose_device("cpu"), dtype="float32"), name="reference")
    found = runtime.detect(images, min_score=0.01)
    with torch.inference_mode():
        boxes, scores = model.predict(torch.from_numpy(images).unsqueeze(1) / 255)
    expected = select(boxes[1].numpy(), scores[1].numpy(), min_score=0.01)
    assert len(expected) > 0
    assert found[1].scores == pytest.approx(expected.scores, abs=1e-5)
    assert runtime.class_names == CONFIG.class_names


def test_batch_without_boxes_has_a_finite_loss_with_gradient() -> None:
    model = ReferenceDetector(CONFIG).train()
    nothing = [torch.zeros(0, 4)] * 2
    parts = model.loss(model(torch.rand(2, 1, 64, 64)), nothing, [torch.zeros(0, dtype=torch.long)] * 2)
    parts["loss"].backward()
    assert torch.isfinite(parts["loss"])
    assert float(parts["iou"].detach()) == 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_targets_of_the_host_teach_a_network_on_a_device() -> None:
    """As our own network's loss takes them."""
    picture = torch.rand(2, 1, 64, 64)
    torch.manual_seed(0)
    model = ReferenceDetector(CONFIG).train()
    expected = float(model.loss(model(picture), [BOX, BOX], [SHIP, SHIP])["loss"].detach())
    with pretended_gpu("cuda") as gpu:
        there = model.to(gpu.device)
        parts = there.loss(there(picture.to(gpu.device)), [BOX, BOX], [SHIP, SHIP])
        parts["loss"].backward()
        assert float(parts["loss"].detach()) == pytest.approx(expected, rel=1e-4)
