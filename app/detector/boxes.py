"""Boxes as tensors: decoding from distance distributions, overlap.

Shape suffixes as in `network.py`; boxes are always left, top, right, bottom in pixels.
"""

import math

import torch
from torch import Tensor

EPSILON = 1e-7


def cell_centres(height: int, width: int, stride_px: int, device: torch.device) -> Tensor:
    """Centres of the output cells, (h w, 2) as x, y in pixels, row by row."""
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * stride_px
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * stride_px
    return torch.stack((x.repeat(height), y.repeat_interleave(width)), dim=1)


def expected_distances(box_logits: Tensor) -> Tensor:
    """Mean of each side's distribution, (..., 4, bins) to (..., 4), in strides."""
    bins = torch.arange(box_logits.shape[-1], device=box_logits.device, dtype=box_logits.dtype)
    return (box_logits.softmax(-1) * bins).sum(-1)


def decode_boxes(box_logits_BKhw: Tensor, *, stride_px: int) -> Tensor:
    """Boxes of every cell, (B, h w, 4).

    Args:
        box_logits_BKhw: K = 4 x bins, the sides in the order left, top, right, bottom.
        stride_px: size of a cell.
    """
    batch, channels, height, width = box_logits_BKhw.shape
    logits = box_logits_BKhw.flatten(2).transpose(1, 2).reshape(batch, height * width, 4, channels // 4)
    distances = expected_distances(logits) * stride_px
    centres = cell_centres(height, width, stride_px, box_logits_BKhw.device)
    return torch.cat((centres - distances[..., :2], centres + distances[..., 2:]), dim=-1)


def complete_iou(boxes: Tensor, targets: Tensor) -> Tensor:
    """Complete IoU of paired boxes, (n, 4) and (n, 4) to (n,), at most 1.

    Source: Zheng et al. 2020, "Distance-IoU Loss"; overlap minus centre distance minus aspect mismatch.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    target_size = targets[:, 2:] - targets[:, :2]
    inter = (torch.minimum(boxes[:, 2:], targets[:, 2:]) - torch.maximum(boxes[:, :2], targets[:, :2])).clamp(
        0
    )
    overlap = inter.prod(1)
    union = size.prod(1) + target_size.prod(1) - overlap
    iou = overlap / (union + EPSILON)
    hull = torch.maximum(boxes[:, 2:], targets[:, 2:]) - torch.minimum(boxes[:, :2], targets[:, :2])
    shift = (boxes[:, :2] + boxes[:, 2:] - targets[:, :2] - targets[:, 2:]) / 2
    distance = shift.square().sum(1) / (hull.square().sum(1) + EPSILON)
    angle = torch.atan(target_size[:, 0] / (target_size[:, 1] + EPSILON)) - torch.atan(
        size[:, 0] / (size[:, 1] + EPSILON)
    )
    aspect = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        weight = aspect / (1 - iou + aspect + EPSILON)
    return iou - distance - weight * aspect
