"""The reference learns through the same three calls as the project's own network."""

import pytest
import torch

from app.detector.nms import select
from app.detector.reference import ReferenceConfig, ReferenceDetector

CONFIG = ReferenceConfig(class_names=("target", "ship"), neck_width=32, head_depth=1)
BOXES = torch.tensor([[8.0, 10.0, 46.0, 44.0], [54.0, 50.0, 84.0, 80.0]])
LABELS = torch.tensor([0, 1])


def picture() -> torch.Tensor:
    image = torch.full((1, 1, 96, 96), 0.3)
    image[..., 10:44, 8:46] = 0.9
    image[..., 50:80, 54:84] = 0.0
    return image


@pytest.mark.slow
def test_learns_one_picture_by_heart() -> None:
    torch.manual_seed(0)
    model = ReferenceDetector(CONFIG).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    first = last = 0.0
    images = picture().repeat(2, 1, 1, 1)
    for step in range(40):
        parts = model.loss(model(images), [BOXES, BOXES], [LABELS, LABELS])
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        last = float(parts["loss"].detach())
        first = first if step else last
    assert last < 0.6 * first
    with torch.inference_mode():
        boxes, scores = model.predict(images)
    found = select(boxes[0].numpy(), scores[0].numpy(), min_score=0.2)
    assert sorted(found.labels[:2].tolist()) == [0, 1]
    best = torch.from_numpy(found.boxes_xyxy_px[found.labels == 0][0])
    assert torch.allclose(best, BOXES[0], atol=6)


def test_answers_have_the_shapes_of_our_network() -> None:
    model = ReferenceDetector(CONFIG).eval()
    with torch.inference_mode():
        boxes, scores = model.predict(torch.rand(2, 1, 64, 96))
    places = 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2 + 1 * 1
    assert boxes.shape == (2, places, 4)
    assert scores.shape == (2, places, 2)
    assert 0 <= float(scores.min()) <= float(scores.max()) <= 1


def test_batch_without_boxes_has_a_finite_loss_with_gradient() -> None:
    model = ReferenceDetector(CONFIG).train()
    nothing = [torch.zeros(0, 4)] * 2
    parts = model.loss(model(torch.rand(2, 1, 64, 64)), nothing, [torch.zeros(0, dtype=torch.long)] * 2)
    parts["loss"].backward()
    assert torch.isfinite(parts["loss"])
    assert float(parts["iou"].detach()) == 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
