"""Training targets and loss of the detector.

Source: targets after Liu et al. 2019, "Training-Time-Friendly Network"; penalty-reduced focal loss after Law
and Deng 2018, "CornerNet"; distribution focal loss after Li et al. 2020, "Generalized Focal Loss".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.detector.boxes import cell_centres, complete_iou, expected_distances


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """How targets are drawn and the parts of the loss weighed."""

    sigma_of_size: float = 0.18
    """Standard deviation of a box's Gaussian as part of its width and height."""
    sigma_least_strides: float = 0.35
    """So that the smallest target still lights its nearest cell and a little around it."""
    box_cell_threshold: float = 0.3
    """Cells whose Gaussian exceeds this learn the box, weighted by it."""
    class_weight: float = 1.0
    iou_weight: float = 5.0
    distribution_weight: float = 2.0


DEFAULT = LossConfig()


@dataclass(frozen=True, slots=True)
class LossParts:
    """Total and its weighted parts, scalars with gradient."""

    total: Tensor
    classes: Tensor
    iou: Tensor
    distribution: Tensor

    def __getitem__(self, name: str) -> Tensor:
        """`parts["loss"]` is the total, the form that torchvision's detectors answer in."""
        return {"loss": self.total, "class": self.classes, "iou": self.iou, "dfl": self.distribution}[name]


@dataclass(frozen=True, slots=True)
class CellTargets:
    """What the cells of one image should answer."""

    heat_CN: Tensor
    """Class targets in 0..1; exactly 1 in the cell nearest to a box's centre."""
    box_of_cell_N: Tensor
    """Index of the box that a cell learns, -1 for none."""
    weight_N: Tensor


def cell_targets(
    boxes_xyxy_px: Tensor,
    labels: Tensor,
    *,
    classes: int,
    height: int,
    width: int,
    stride_px: int,
    config: LossConfig = DEFAULT,
) -> CellTargets:
    """Gaussian class targets and box assignment for one image; no box gives zeros and -1.

    Where boxes overlap, the smaller one has the cell: it has fewer others.
    """
    device = boxes_xyxy_px.device
    cells = height * width
    heat = torch.zeros((classes, cells), device=device)
    owner = torch.full((cells,), -1, dtype=torch.long, device=device)
    weight = torch.zeros(cells, device=device)
    if len(boxes_xyxy_px) == 0:
        return CellTargets(heat, owner, weight)
    centres = cell_centres(height, width, stride_px, device)
    size = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    middle = (boxes_xyxy_px[:, 2:] + boxes_xyxy_px[:, :2]) / 2
    sigma = (config.sigma_of_size * size).clamp(min=config.sigma_least_strides * stride_px)
    offset = (centres[None] - middle[:, None]) / sigma[:, None]
    gauss_nN = torch.exp(-0.5 * offset.square().sum(-1))
    nearest = (centres[None] - middle[:, None]).square().sum(-1).argmin(1)
    gauss_nN[torch.arange(len(gauss_nN), device=device), nearest] = 1.0
    inside = gauss_nN > config.box_cell_threshold
    for index in torch.argsort(size.prod(1), descending=True).tolist():
        mine = inside[index]
        owner[mine] = index
        weight[mine] = gauss_nN[index, mine]
        label = int(labels[index])
        heat[label] = torch.maximum(heat[label], gauss_nN[index])
    return CellTargets(heat, owner, weight)


def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Penalty-reduced focal loss, summed; `targets` in 0..1, positives where it is exactly 1."""
    positive = targets.eq(1)
    probability = logits.sigmoid()
    log_p = functional.logsigmoid(logits)
    log_not_p = log_p - logits
    loss = torch.where(
        positive,
        (1 - probability).square() * log_p,
        (1 - targets).pow(4) * probability.square() * log_not_p,
    )
    return -loss.sum()


def distribution_loss(logits_n4b: Tensor, distances_n4: Tensor) -> Tensor:
    """Cross entropy against the two bins around each true distance in strides, (n, 4, bins) to (n,)."""
    bins = logits_n4b.shape[-1]
    clipped = distances_n4.clamp(0, bins - 1 - 1e-3)
    left = clipped.floor()
    right_share = clipped - left
    log_p = logits_n4b.log_softmax(-1)
    left_index = left.long().unsqueeze(-1)
    low = log_p.gather(-1, left_index).squeeze(-1)
    high = log_p.gather(-1, left_index + 1).squeeze(-1)
    return -(low * (1 - right_share) + high * right_share).mean(-1)


def detection_loss(
    class_logits_BChw: Tensor,
    box_logits_BKhw: Tensor,
    boxes_xyxy_px: Sequence[Tensor],
    labels: Sequence[Tensor],
    *,
    stride_px: int,
    config: LossConfig = DEFAULT,
    across: Callable[[Tensor], Tensor] | None = None,
) -> LossParts:
    """Loss of a batch, in float32 whatever the network ran in.

    Class loss is divided by the number of boxes, box losses by the sum of the cells' weights.

    Args:
        boxes_xyxy_px, labels: best on the CPU, wherever the logits are: targets are many small steps, some of which
            depend on values, and a GPU would be waited for at each. What comes of them moves in a few pieces.
        across: where this is a part of a batch, adds both up over all parts; the parts' losses then add up too.
    """
    class_logits = class_logits_BChw.float().flatten(2)
    batch, classes, cells = class_logits.shape
    height, width = class_logits_BChw.shape[2:]
    bins = box_logits_BKhw.shape[1] // 4
    box_logits = box_logits_BKhw.float().flatten(2).transpose(1, 2).reshape(batch, cells, 4, bins)
    per_image = [
        cell_targets(
            box, label, classes=classes, height=height, width=width, stride_px=stride_px, config=config
        )
        for box, label in zip(boxes_xyxy_px, labels, strict=True)
    ]
    device = class_logits.device
    owner = torch.stack([t.box_of_cell_N for t in per_image])
    weights = torch.stack([t.weight_N for t in per_image])
    count: float | Tensor = max(sum(len(b) for b in boxes_xyxy_px), 1)
    total_weight = weights.sum().to(device, non_blocking=True)
    if across is not None:
        boxes_here = total_weight.new_tensor(float(sum(len(b) for b in boxes_xyxy_px)))
        count, total_weight = across(torch.stack((boxes_here, total_weight))).unbind()
        count = count.clamp(min=1)
    heat = torch.stack([t.heat_CN for t in per_image]).to(device, non_blocking=True)
    class_loss = focal_loss(class_logits, heat) / count * config.class_weight

    image_index, cell_index = torch.nonzero(owner >= 0, as_tuple=True)
    if len(image_index) == 0:
        nothing = box_logits.sum() * 0
        return LossParts(class_loss + nothing, class_loss, nothing, nothing)
    offsets = torch.tensor([0, *[len(b) for b in boxes_xyxy_px]], device=owner.device).cumsum(0)
    targets = torch.cat(list(boxes_xyxy_px))[offsets[image_index] + owner[image_index, cell_index]]
    centres = cell_centres(height, width, stride_px, owner.device)[cell_index]
    weight, targets, centres, image_index, cell_index = (
        t.to(device, non_blocking=True)
        for t in (weights[image_index, cell_index], targets, centres, image_index, cell_index)
    )
    logits = box_logits[image_index, cell_index]
    true_distances = torch.cat((centres - targets[:, :2], targets[:, 2:] - centres), 1) / stride_px
    distances = expected_distances(logits) * stride_px
    boxes = torch.cat((centres - distances[:, :2], centres + distances[:, 2:]), 1)
    iou_loss = ((1 - complete_iou(boxes, targets)) * weight).sum() / total_weight * config.iou_weight
    dfl = (
        (distribution_loss(logits, true_distances) * weight).sum() / total_weight * config.distribution_weight
    )
    return LossParts(class_loss + iou_loss + dfl, class_loss, iou_loss, dfl)
