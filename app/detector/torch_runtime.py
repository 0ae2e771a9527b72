"""Runs a network with torch on any device, behind the `Runtime` interface."""

from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from app.detector.candidates import BoxHead, CellAnswers
from app.detector.detections import Detections
from app.detector.exported import pixel_blocks
from app.detector.model_file import SHIPPED, read_model
from app.detector.network import SidescanTargetDetector
from app.detector.nms import select
from app.detector.reference import ReferenceDetector
from app.device.choice import choose_device
from app.device.plan import DevicePlan, plan_device

Network = TypeVar("Network", bound=nn.Module)


class TorchRuntime:
    """A trained `SidescanTargetDetector`, or the reference, ready to answer.

    Batch norms are folded into their convolutions, which changes no answer beyond rounding and
    leaves fewer passes over memory.
    """

    def __init__(
        self,
        model: SidescanTargetDetector | ReferenceDetector,
        *,
        plan: DevicePlan | None = None,
        name: str = "model",
    ) -> None:
        plan = plan or plan_device(choose_device("cpu"))
        self._device, self._dtype, self._autocast = plan.device, plan.dtype, plan.autocast
        self._model = fused(model).to(self._device).eval()
        if plan.memory_format is torch.channels_last:
            self._model = self._model.to(memory_format=torch.channels_last)
        # An accelerator computes all boxes sooner than it hands over what some of them need.
        self._box_head = _box_head(self._model) if self._device.type == "cpu" else None
        self.class_names = model.config.class_names
        self.description = f"{name}, torch {torch.__version__} on {self._device}, {str(plan.dtype)[6:]}"

    @classmethod
    def from_file(cls, path: Path = SHIPPED, *, plan: DevicePlan | None = None) -> "TorchRuntime":
        """Read a model file; see `read_model` for what can go wrong."""
        model, card = read_model(path)
        return cls(model, plan=plan, name=card.name)

    def predict(self, images_BHW: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every cell's box and class scores, before any threshold: (B, N, 4) in pixels and (B, N, C)."""
        images = torch.from_numpy(np.ascontiguousarray(images_BHW)).to(self._device)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._dtype, enabled=self._autocast),
        ):
            scaled = images.unsqueeze(1).to(torch.float32).div_(255)
            boxes, scores = self._model.predict(scaled)
        return boxes.cpu().numpy(), scores.cpu().numpy()

    def detect(self, images_BHW: NDArray[np.uint8], *, min_score: float) -> list[Detections]:
        """See `Runtime.detect`."""
        if self._box_head is not None:
            return self._answer(images_BHW).detect(self._box_head, min_score=min_score)
        boxes_BN4, scores_BNC = self.predict(images_BHW)
        return [select(b, s, min_score=min_score) for b, s in zip(boxes_BN4, scores_BNC, strict=True)]

    def _answer(self, images_BHW: NDArray[np.uint8]) -> CellAnswers:
        """A network of ours on the CPU, without its box branch."""
        network: Any = self._model
        blocks_BPhw = torch.from_numpy(pixel_blocks(images_BHW)).permute(0, 3, 1, 2)
        with torch.inference_mode(), torch.autocast("cpu", dtype=self._dtype, enabled=self._autocast):
            neck = network.neck(blocks_BPhw.to(torch.float32).div_(255))
            logits = network.class_head(neck)
        return CellAnswers(logits.float().numpy(), neck.permute(0, 2, 3, 1).float().numpy())


def _box_head(model: nn.Module) -> BoxHead | None:
    """The last layers of a fused network's box branch; None for the reference, which has no such branch."""
    if not isinstance(model, SidescanTargetDetector):
        return None
    head: Any = model.box_head
    hidden, answer = head[0][0], head[2]
    weights = (hidden.weight, hidden.bias, answer.weight, answer.bias)
    return BoxHead.from_convolutions(*(w.detach().float().cpu().numpy() for w in weights))


def fused(model: Network) -> Network:
    """A copy in evaluation mode with every convolution and its batch norm folded into one convolution."""
    copy = deepcopy(model).eval()
    for module in copy.modules():
        if isinstance(module, nn.Sequential) and len(module) >= 2:
            first, second = module[0], module[1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[0] = nn.utils.fusion.fuse_conv_bn_eval(first, second)
                module[1] = nn.Identity()
    return copy
