"""Self-distillation for the accuracy benchmark: a network learns from boxes and from what an earlier one answers.

The earlier one was trained on the same fold, so it never saw the tiles that are scored either.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from app.detector.loss import LossParts
from app.detector.model_file import read_model
from app.detector.network import RawOutput, SidescanTargetDetector


def learn_from(model: SidescanTargetDetector, teacher_path: Path, weight: float = 1.0) -> None:
    """Add the distance to the teacher's class map to the model's loss.

    Quality focal loss (Li et al. 2020) with the teacher's probability as the target, by the number of boxes as the loss
    that is there already.
    """
    teacher, _ = read_model(teacher_path)
    for parameter in teacher.parameters():
        parameter.requires_grad_(False)
    seen: list[Tensor] = []

    def remember(_: object, images: tuple[Tensor, ...]) -> None:
        seen[:] = images

    model.register_forward_pre_hook(remember)
    own = model.loss

    def loss(
        raw: RawOutput,
        boxes_xyxy_px: Sequence[Tensor],
        labels: Sequence[Tensor],
        across: Callable[[Tensor], Tensor] | None = None,
    ) -> LossParts:
        parts = own(raw, boxes_xyxy_px, labels, across)
        with torch.no_grad():
            target = teacher(seen[0]).class_logits_BChw.float().sigmoid()
        logits = raw.class_logits_BChw.float()
        distance = (target - logits.sigmoid()).square()
        entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        soft = (distance * entropy).sum() / max(sum(len(b) for b in boxes_xyxy_px), 1)
        return replace(parts, total=parts.total + weight * soft)

    model.loss = loss  # type: ignore[method-assign]
