"""The project's own network: grey tile in, class map and box map at stride 8 out.

Shape suffixes: B batch, C classes, K box channels (4 sides x bins), H, W pixels, h, w cells of 8 x 8 pixels,
N = h w.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from app.detector.boxes import decode_boxes
from app.detector.loss import LossConfig, LossParts, detection_loss

STRIDE_PX = 8
"""Size of one output cell."""
SIZE_MULTIPLE_PX = 32
"""Height and width of an input must be multiples of this: the deepest stage has stride 32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorConfig:
    """Shape of a `SidescanTargetDetector`; stored in every model file."""

    class_names: tuple[str, ...]
    widths: tuple[int, int, int, int] = (32, 48, 96, 128)
    """Channels at stride 4, 8, 16 and 32."""
    depths: tuple[int, int, int, int] = (0, 2, 2, 1)
    """Residual blocks at each stride. One at stride 4 is a sixth of the arithmetic and finds nothing more."""
    neck_width: int = 64
    smoothing: bool = False
    """A further 3x3 convolution on the neck, as networks of before 2026-12 have it; it finds nothing more either."""
    bins: int = 16
    """Steps of the distance distribution; the largest box side is 2 x (bins - 1) x 8 pixels."""
    mean: float = 0.37
    """Subtracted from an image in 0..1: `normalise_gain` sets a local mean of about 95 of 255."""
    deviation: float = 0.2

    def __post_init__(self) -> None:
        if not self.class_names:
            raise ValueError("class_names=() must name at least one class")
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError(f"class_names={self.class_names} must not repeat a name")


class RawOutput(NamedTuple):
    """What the network computes before decoding."""

    class_logits_BChw: Tensor
    box_logits_BKhw: Tensor


class ConvNorm(nn.Sequential):
    """3x3 (or 1x1) convolution without bias, then batch norm."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, gain: float = 1.0
    ) -> None:
        norm = nn.BatchNorm2d(outputs, momentum=0.03)
        nn.init.constant_(norm.weight, gain)
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), norm)


class ResidualBlock(nn.Module):
    """Two dense 3x3 convolutions around an identity.

    Dense rather than depthwise, whose low arithmetic intensity leaves CPUs and GPUs waiting for memory. The
    last norm starts at .2, so that a fresh block is close to the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvNorm(width, width)
        self.second = ConvNorm(width, width, gain=0.2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) to the same shape."""
        inner: Tensor = self.second(functional.relu(self.first(x), inplace=True))
        return functional.relu(inner + x, inplace=True)


class Head(nn.Sequential):
    """One 3x3 convolution and one 1x1 that answers."""

    def __init__(self, width: int, outputs: int, bias: float) -> None:
        answer = nn.Conv2d(width, outputs, 1)
        nn.init.normal_(answer.weight, std=0.01)
        assert answer.bias is not None
        nn.init.constant_(answer.bias, bias)
        super().__init__(ConvNorm(width, width), nn.ReLU(inplace=True), answer)


class SidescanTargetDetector(nn.Module):
    """Anchor-free detector for grey sonar tiles, about one million parameters.

    Source: measured recipe of this project (residual stages, additive feature pyramid down to stride 8, boxes
    as distributions over distances after Li et al. 2020, "Generalized Focal Loss").
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.loss_config = LossConfig()
        w4, w8, w16, w32 = config.widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), ConvNorm(16, w4), nn.ReLU(inplace=True))
        self.stage4 = nn.Sequential(*(ResidualBlock(w4) for _ in range(config.depths[0])))
        self.stage8 = self._stage(w4, w8, config.depths[1])
        self.stage16 = self._stage(w8, w16, config.depths[2])
        self.stage32 = self._stage(w16, w32, config.depths[3])
        self.lateral8 = nn.Conv2d(w8, config.neck_width, 1)
        self.lateral16 = nn.Conv2d(w16, config.neck_width, 1)
        self.lateral32 = nn.Conv2d(w32, config.neck_width, 1)
        smooth = (ConvNorm(config.neck_width, config.neck_width),) if config.smoothing else ()
        self.smooth = nn.Sequential(*smooth, nn.ReLU(inplace=True))
        # exp(-4.6) is about .01: at first one cell in a hundred claims a target, so focal loss starts small.
        self.class_head = Head(config.neck_width, len(config.class_names), bias=-4.6)
        self.box_head = Head(config.neck_width, 4 * config.bins, bias=0.0)

    @staticmethod
    def _stage(inputs: int, width: int, depth: int) -> nn.Sequential:
        blocks = (ResidualBlock(width) for _ in range(depth))
        return nn.Sequential(ConvNorm(inputs, width, stride=2), nn.ReLU(inplace=True), *blocks)

    def forward(self, images_B1HW: Tensor) -> RawOutput:
        """Class and box maps of grey images.

        Args:
            images_B1HW: float, 0..1, H and W multiples of 32.
        """
        neck = self.neck(self.stem[0](images_B1HW))
        return RawOutput(self.class_head(neck), self.box_head(neck))

    def neck(self, pixels_BPhw: Tensor) -> Tensor:
        """Features at stride 8, which both heads look at, of pixels in 0..1 by blocks: (B, 16, H/4, W/4)."""
        x = (pixels_BPhw - self.config.mean) / self.config.deviation
        x8 = self.stage8(self.stage4(self.stem[1:](x)))
        x16 = self.stage16(x8)
        neck = self.lateral32(self.stage32(x16))
        neck = self.lateral16(x16) + functional.interpolate(neck, scale_factor=2.0, mode="nearest")
        neck = self.lateral8(x8) + functional.interpolate(neck, scale_factor=2.0, mode="nearest")
        smooth: Tensor = self.smooth(neck)
        return smooth

    def loss(
        self,
        raw: RawOutput,
        boxes_xyxy_px: Sequence[Tensor],
        labels: Sequence[Tensor],
        across: Callable[[Tensor], Tensor] | None = None,
    ) -> LossParts:
        """Training loss of a batch against B entries of boxes (n, 4) and labels (n,); see `detection_loss`."""
        return detection_loss(
            raw.class_logits_BChw,
            raw.box_logits_BKhw,
            boxes_xyxy_px,
            labels,
            stride_px=STRIDE_PX,
            config=self.loss_config,
            across=across,
        )

    def predict(self, images_B1HW: Tensor) -> tuple[Tensor, Tensor]:
        """Every cell's box and class scores, before any threshold; the part that is exported.

        Returns:
            boxes (B, N, 4) left, top, right, bottom in pixels, and scores (B, N, C) in 0..1, both float32.
        """
        raw = self(images_B1HW)
        boxes = decode_boxes(raw.box_logits_BKhw.float(), stride_px=STRIDE_PX)
        scores = raw.class_logits_BChw.float().sigmoid().flatten(2).transpose(1, 2)
        return boxes, scores
