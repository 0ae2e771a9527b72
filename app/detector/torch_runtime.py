"""Runs a network with torch on any device, behind the `Runtime` interface."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.detector.detections import Detections
from app.detector.model_file import SHIPPED, ModelCard, read_model
from app.detector.network import SidescanTargetDetector
from app.detector.nms import select


class TorchRuntime:
    """A trained `SidescanTargetDetector` ready to answer.

    Batch norms are folded into their convolutions, which changes no answer beyond rounding and saves about a
    tenth of the time on a CPU.
    """

    def __init__(
        self,
        model: SidescanTargetDetector,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        name: str = "model",
    ) -> None:
        self._device = device or torch.device("cpu")
        self._dtype = dtype
        self._model = fused(model).to(self._device).eval()
        if self._device.type != "mps":
            self._model = self._model.to(memory_format=torch.channels_last)
        self.class_names = model.config.class_names
        self.description = f"{name}, torch {torch.__version__} on {self._device}, {str(dtype)[6:]}"

    @classmethod
    def from_file(
        cls, path: Path = SHIPPED, *, device: torch.device | None = None, dtype: torch.dtype = torch.float32
    ) -> "TorchRuntime":
        """Read a model file; see `read_model` for what can go wrong."""
        model, card = read_model(path)
        return cls(model, device=device, dtype=dtype, name=card.name)

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        images = torch.from_numpy(np.ascontiguousarray(images_BHW)).to(self._device)
        low_precision = self._dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(
                self._device.type, dtype=self._dtype if low_precision else None, enabled=low_precision
            ),
        ):
            scaled = images.unsqueeze(1).to(torch.float32).div_(255)
            boxes, scores = self._model.predict(scaled)
        boxes_np, scores_np = boxes.cpu().numpy(), scores.cpu().numpy()
        return [select(b, s, min_score=min_score) for b, s in zip(boxes_np, scores_np, strict=True)]


def fused(model: SidescanTargetDetector) -> SidescanTargetDetector:
    """A copy in evaluation mode with every convolution and its batch norm folded into one convolution."""
    copy = SidescanTargetDetector(model.config)
    copy.load_state_dict(model.state_dict())
    copy.eval()
    for module in copy.modules():
        if isinstance(module, nn.Sequential) and len(module) >= 2:
            first, second = module[0], module[1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[0] = nn.utils.fusion.fuse_conv_bn_eval(first, second)
                module[1] = nn.Identity()
    return copy


__all__ = ["ModelCard", "TorchRuntime", "fused"]
