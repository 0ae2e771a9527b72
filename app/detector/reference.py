"""A well-known detector behind the interface of ours, to compare with: torchvision's FCOS on a ResNet-18.

Shape suffixes: B batch, C classes, N places over all five levels (strides 8 to 128), H, W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from app.detector.loss import LossParts


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceConfig:
    """Shape of a `ReferenceDetector`."""

    class_names: tuple[str, ...]
    neck_width: int = 64
    """Channels of pyramid and head, a multiple of 32; torchvision's own choice is 256, as for 80 classes."""
    head_depth: int = 2
    mean: float = 0.37
    deviation: float = 0.2


class ReferenceRaw(NamedTuple):
    """What the network computes before decoding."""

    class_logits_BNC: Tensor
    distances_BN4: Tensor
    """Left, top, right, bottom in strides of the level."""
    centreness_BN1: Tensor
    anchors_N4: Tensor
    """Squares of one stride around each place, in pixels."""
    places_per_level: tuple[int, ...]


class ReferenceDetector(nn.Module):
    """FCOS from random weights; the same `forward`, `loss` and `predict` as `SidescanTargetDetector`.

    Source: Tian et al. 2019, "FCOS"; torchvision.models.detection.FCOS does layers, matching and loss. Its
    own resizing and its non-maximum suppression are left out: both detectors get the same of either.
    """

    def __init__(self, config: ReferenceConfig) -> None:
        from torchvision.models.detection import FCOS
        from torchvision.models.detection.fcos import FCOSHead

        super().__init__()
        self.config = config
        head = FCOSHead(config.neck_width, 1, len(config.class_names), config.head_depth)
        self.network: Any = FCOS(_grey_pyramid(config.neck_width), len(config.class_names), head=head)

    def forward(self, images_B1HW: Tensor) -> ReferenceRaw:
        """Class logits and boxes of grey images.

        Args:
            images_B1HW: float, 0..1, H and W multiples of 32.
        """
        from torchvision.models.detection.image_list import ImageList

        images = (images_B1HW - self.config.mean) / self.config.deviation
        levels = list(self.network.backbone(images).values())
        answer = self.network.head(levels)
        size = (images.shape[2], images.shape[3])
        anchors = self.network.anchor_generator(ImageList(images[:1], [size]), levels)
        return ReferenceRaw(
            answer["cls_logits"],
            answer["bbox_regression"],
            answer["bbox_ctrness"],
            anchors[0],
            tuple(level.shape[2] * level.shape[3] for level in levels),
        )

    def loss(self, raw: ReferenceRaw, boxes_xyxy_px: Sequence[Tensor], labels: Sequence[Tensor]) -> LossParts:
        """Training loss of a batch against B entries of boxes (n, 4) and labels (n,), in float32.

        The parts bear the names of our detector's: `iou` is the box loss, `distribution` the centreness.

        Args:
            boxes_xyxy_px, labels: on any device.
        """
        device = raw.anchors_N4.device
        targets = [
            {"boxes": b.to(device), "labels": x.to(device)}
            for b, x in zip(boxes_xyxy_px, labels, strict=True)
        ]
        parts = self.network.compute_loss(
            targets,
            {
                "cls_logits": raw.class_logits_BNC.float(),
                "bbox_regression": raw.distances_BN4.float(),
                "bbox_ctrness": raw.centreness_BN1.float(),
            },
            [raw.anchors_N4] * len(targets),
            list(raw.places_per_level),
        )
        classes, box, centre = parts["classification"], parts["bbox_regression"], parts["bbox_ctrness"]
        return LossParts(classes + box + centre, classes, box, centre)

    def predict(self, images_B1HW: Tensor) -> tuple[Tensor, Tensor]:
        """Every place's box and class scores: (B, N, 4) in pixels and (B, N, C) in 0..1, both float32."""
        raw: ReferenceRaw = self(images_B1HW)
        anchors = raw.anchors_N4.expand(len(images_B1HW), -1, -1)
        boxes: Tensor = self.network.box_coder.decode(raw.distances_BN4.float(), anchors)
        scores = torch.sqrt(raw.class_logits_BNC.float().sigmoid() * raw.centreness_BN1.float().sigmoid())
        return boxes, scores


def _grey_pyramid(width: int) -> Any:
    """ResNet-18 with one input channel and a feature pyramid at strides 8, 16, 32, 64 and 128."""
    from torchvision.models import resnet18
    from torchvision.models.detection.backbone_utils import BackboneWithFPN
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    backbone = resnet18(weights=None)
    backbone.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(backbone.conv1.weight, mode="fan_out", nonlinearity="relu")
    return BackboneWithFPN(
        backbone,
        return_layers={"layer2": "0", "layer3": "1", "layer4": "2"},
        in_channels_list=[128, 256, 512],
        out_channels=width,
        extra_blocks=LastLevelP6P7(width, width),
    )
