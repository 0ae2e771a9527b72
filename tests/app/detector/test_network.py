"""The network: shapes, what it can learn, and that its folded form answers the same."""

import pytest
import torch

from app.detector.boxes import complete_iou, decode_boxes
from app.detector.loss import cell_targets, distribution_loss, focal_loss
from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.detector.torch_runtime import fused

CONFIG = DetectorConfig(class_names=("target", "ship"))
SMALL = DetectorConfig(class_names=("target",), widths=(8, 16, 16, 16), neck_width=16)


def test_output_has_one_cell_for_each_8_pixels() -> None:
    raw = SidescanTargetDetector(CONFIG)(torch.rand(2, 1, 96, 64))
    assert raw.class_logits_BChw.shape == (2, 2, 12, 8)
    assert raw.box_logits_BKhw.shape == (2, 64, 12, 8)


def test_parameters_stay_about_one_million() -> None:
    count = sum(p.numel() for p in SidescanTargetDetector(CONFIG).parameters())
    assert 0.9e6 < count < 1.2e6


def test_classes_must_be_named_once() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        DetectorConfig(class_names=())
    with pytest.raises(ValueError, match="must not repeat"):
        DetectorConfig(class_names=("a", "a"))


def test_decoding_inverts_a_certain_distribution() -> None:
    logits = torch.full((1, 4, 16, 2, 2), -50.0)
    for side, distance in enumerate((1, 2, 3, 4)):
        logits[0, side, distance, 1, 0] = 50.0
    boxes = decode_boxes(logits.reshape(1, 64, 2, 2), stride_px=8)
    # Cell (row 1, column 0) has its centre at x 4, y 12.
    assert boxes[0, 2].tolist() == pytest.approx([4 - 8, 12 - 16, 4 + 24, 12 + 32], abs=1e-3)


def test_nearest_cell_is_exactly_one_and_box_cells_lie_around_it() -> None:
    targets = cell_targets(
        torch.tensor([[16.0, 16.0, 48.0, 48.0]]), torch.tensor([1]), classes=2, height=8, width=8, stride_px=8
    )
    heat = targets.heat_CN[1].reshape(8, 8)
    assert heat.max() == 1
    assert heat[0, 0] < 0.01
    assert targets.heat_CN[0].max() == 0
    assert (targets.box_of_cell_N >= 0).sum() >= 4


def test_smaller_of_two_boxes_has_the_shared_cell() -> None:
    boxes = torch.tensor([[28.0, 28.0, 36.0, 36.0], [0.0, 0.0, 64.0, 64.0]])
    targets = cell_targets(boxes, torch.tensor([0, 0]), classes=1, height=8, width=8, stride_px=8)
    cell = targets.heat_CN[0].argmax()
    assert targets.box_of_cell_N[cell] == 0


def test_no_box_gives_no_target_and_a_finite_loss() -> None:
    model = SidescanTargetDetector(SMALL)
    parts = model.loss(
        model(torch.rand(1, 1, 64, 64)), [torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.long)]
    )
    assert torch.isfinite(parts.total)
    parts.total.backward()
    assert parts.iou == 0


def test_focal_loss_is_lowest_for_the_right_answer() -> None:
    targets = torch.tensor([0.0, 1.0])
    right = focal_loss(torch.tensor([-6.0, 6.0]), targets)
    wrong = focal_loss(torch.tensor([6.0, -6.0]), targets)
    assert right < 1e-3 < wrong


def test_focal_loss_matches_its_formula() -> None:
    logit, target = torch.tensor([0.3]), torch.tensor([0.5])
    p = logit.sigmoid()
    expected = -((1 - 0.5) ** 4) * p**2 * torch.log(1 - p)
    assert focal_loss(logit, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_distribution_loss_is_lowest_between_the_right_bins() -> None:
    logits = torch.full((1, 4, 16), -20.0)
    logits[..., 3:5] = 20.0
    good = distribution_loss(logits, torch.full((1, 4), 3.5))
    bad = distribution_loss(logits, torch.full((1, 4), 9.5))
    assert good.item() == pytest.approx(0.6931, abs=1e-3)
    assert bad > 10


def test_complete_iou_is_one_only_for_the_same_box() -> None:
    box = torch.tensor([[0.0, 0.0, 10.0, 20.0]])
    assert complete_iou(box, box).item() == pytest.approx(1.0, abs=1e-4)
    assert complete_iou(box, box + 30).item() < 0


def test_learns_one_image_by_heart() -> None:
    torch.manual_seed(0)
    model = SidescanTargetDetector(SMALL)
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 20:36, 30:50] = 1.0
    box = torch.tensor([[30.0, 20.0, 50.0, 36.0]])
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(60):
        loss = model.loss(model(image), [box], [torch.tensor([0])])
        optimiser.zero_grad()
        loss.total.backward()
        optimiser.step()
    boxes, scores = model.predict(image)
    best = scores[0, :, 0].argmax()
    assert scores[0, best, 0] > 0.5
    assert (boxes[0, best] - box[0]).abs().max() < 2.5


def test_folded_network_answers_the_same() -> None:
    torch.manual_seed(1)
    model = SidescanTargetDetector(SMALL)
    with torch.no_grad():
        model(torch.rand(4, 1, 64, 64) * 0.5)  # moves the batch norms away from their start
    model.eval()
    image = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        for mine, folded in zip(model.predict(image), fused(model).predict(image), strict=True):
            assert torch.allclose(mine, folded, atol=1e-3)
