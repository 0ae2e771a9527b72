"""What training holds in memory: network, average, optimiser, scaler, and where the run stands."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.dataset.tile_batches import Batch
from app.detector.model_file import read_model
from app.detector.network import DetectorConfig, RawOutput, SidescanTargetDetector
from app.detector.runtimes import model_path
from app.device.batch_size import MicroBatch, out_of_memory
from app.device.plan import DevicePlan
from app.device.random_state import random_states, restore_random_states
from app.errors import DeviceError, RunError
from app.training.checkpoint import VERSION, Checkpoint
from app.training.ema import AveragedModel
from app.training.optimiser import build_optimiser
from app.training.recipe import TrainConfig
from app.training.schedule import rate_scale
from app.training.team import Team

LOST_BATCHES_LIMIT = 20
"""So many batches in a row without a finite loss end the run: the weights are gone."""


@dataclass(slots=True)
class Position:
    """Where the run stands; the next batch is batch `batch` of epoch `epoch`, both from 0."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best_ap50: float = -1.0
    best_epoch: int = -1
    seconds: float = 0.0
    """Time in training on all machines so far."""
    errors: dict[str, int] = field(default_factory=lambda: {"nonfinite_loss": 0, "out_of_memory": 0})


class Session:
    """One run's moving parts, and the step that moves them."""

    def __init__(
        self,
        config: TrainConfig,
        class_names: tuple[str, ...],
        plan: DevicePlan,
        *,
        total_steps: int,
        team: Team | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """
        Args:
            checkpoint: where to go on; neither the model that the run once started from nor the default shape of
                networks is asked then, which another machine or version may have otherwise.

        Raises:
            ModelError: the model to start from cannot be read.
            RunError: the checkpoint holds weights of another network.
        """
        torch.manual_seed(config.seed)
        self.team = team or Team()
        self.config = config
        self.plan = plan
        self.total_steps = total_steps
        self.device = plan.device
        shape = checkpoint.network if checkpoint is not None else None
        model = starting_model(config, class_names) if shape is None else SidescanTargetDetector(shape)
        self.model = model.to(self.device)
        if plan.memory_format is torch.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.model, config.ema_decay)
        self.optimiser = build_optimiser(self.model, config.optimiser)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=plan.grad_scaler)
        self._share = config.batch_size // self.team.size
        """Samples of a batch that are this process's."""
        self.micro = MicroBatch(effective=self._share, micro=self.team.micro_batch(self._share))
        self.position = Position()
        self._lost_in_a_row = 0
        network = self.team.network(self.model, self.device)
        self._unsynced = getattr(network, "no_sync", nullcontext)
        self._forward: Callable[[Tensor], RawOutput] = torch.compile(network) if plan.compile else network
        if checkpoint is not None:
            self._go_on(checkpoint)

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step on one batch; the loss and its parts as floats.

        Out of memory halves what is on the device at once and repeats the batch with accumulated gradients.
        A loss that is not finite skips the update and is counted.

        Raises:
            DeviceError: not even one sample fits.
            RunError: the loss stays not finite.
        """
        while True:
            try:
                losses = self._accumulate(batch)
                break
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self.optimiser.zero_grad(set_to_none=True)
                self.position.errors["out_of_memory"] += 1
                if self.micro.micro <= 1:
                    raise DeviceError(
                        f"one sample of {self.config.size_px} px does not fit on {self.device}; "
                        f"use a smaller --size-px or another --device"
                    ) from error
                self.micro = self.micro.halved()
                if self.team.size > 1:  # the others wait in the middle of a step: all begin anew, with less
                    self.team.smaller_micro_batch(self.micro.micro)
                    raise
        self._update(losses["loss"])
        self.position.step += 1
        self.position.batch += 1
        return losses

    def _accumulate(self, batch: Batch) -> dict[str, float]:
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        count = len(batch.boxes)
        sums = {"loss": 0.0, "class": 0.0, "iou": 0.0, "dfl": 0.0}
        for start in range(0, count, self.micro.micro):
            part = slice(start, start + self.micro.micro)
            images = self._to_device(batch.images_B1HW[part])
            boxes = [torch.from_numpy(b) for b in batch.boxes[part]]
            labels = [torch.from_numpy(x) for x in batch.labels[part]]
            with nullcontext() if part.stop >= count else self._unsynced():
                with torch.autocast(self.device.type, dtype=self.plan.dtype, enabled=self.plan.autocast):
                    raw = self._forward(images)
                parts = self.model.loss(raw, boxes, labels, self.team.summed if self.team.size > 1 else None)
                share = len(boxes) / count
                # Gradients are averaged over processes, whose losses add up.
                torch.autograd.backward(self.scaler.scale(parts["loss"] * (share * self.team.size)))
            # The one wait for the device.
            told = torch.stack([parts[name].detach() for name in sums]).tolist()
            sums = {name: sums[name] + value * share for name, value in zip(sums, told, strict=True)}
        return self.team.totals(sums)

    def _to_device(self, images: NDArray[np.uint8]) -> Tensor:
        tensor = torch.from_numpy(images)
        if self.plan.pin_memory:
            tensor = tensor.pin_memory()
        tensor = tensor.to(self.device, non_blocking=self.plan.pin_memory).float().div_(255)
        return tensor.to(memory_format=self.plan.memory_format)

    def _update(self, loss: float) -> None:
        if not math.isfinite(loss):
            self.position.errors["nonfinite_loss"] += 1
            self._lost_in_a_row += 1
            self._forget_statistics()
            if self._lost_in_a_row >= LOST_BATCHES_LIMIT:
                raise RunError(
                    f"no finite loss in {LOST_BATCHES_LIMIT} batches up to step {self.position.step}; "
                    "resume with a lower rate, or with --dtype float32"
                )
            return
        self._lost_in_a_row = 0
        scale = rate_scale(
            self.position.step,
            self.total_steps,
            warmup_steps=self.config.warmup_steps,
            final=self.config.final_rate,
        )
        for group in self.optimiser.param_groups:
            group["scale"] = scale
        self.scaler.unscale_(self.optimiser)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.average.update(self.model)

    def _forget_statistics(self) -> None:
        """The norms have counted what is not finite and would hold it for ever: back to those of the average."""
        kept = dict(self.average.module.named_buffers())
        for name, buffer in self.model.named_buffers():
            buffer.copy_(kept[name])

    def write_checkpoint(self, stream: BinaryIO) -> None:
        """Everything a resumed run needs to go on as if it had never stopped."""
        state: dict[str, Any] = {
            "version": VERSION,
            "network": asdict(self.model.config),
            "position": asdict(self.position),
            "micro": self.micro.micro,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_states(self.device),
        }
        torch.save(state, stream)

    def _go_on(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            if state["scaler"]:  # nothing where the run did not need one: a GPU that does begins with its own
                self.scaler.load_state_dict(state["scaler"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise RunError(
                f"{checkpoint.name} belongs to another network or recipe; start a new --run"
            ) from error
        restore_random_states(state["random"], self.device)
        self.position = Position(**state["position"])
        whole = not self.position.errors["out_of_memory"]
        micro = self._share if whole else min(self._share, state["micro"])
        self.micro = MicroBatch(effective=self._share, micro=self.team.micro_batch(micro))


def starting_model(config: TrainConfig, class_names: tuple[str, ...]) -> SidescanTargetDetector:
    """Random weights, or those of `config.start_from` with the answers for classes of the same name kept.

    Raises:
        ModelError: the model to start from cannot be read.
    """
    if config.start_from is None:
        return SidescanTargetDetector(DetectorConfig(class_names=class_names))
    old, _ = read_model(model_path(config.start_from, "torch"))
    model = SidescanTargetDetector(replace(old.config, class_names=class_names))
    weights = old.state_dict()
    answer = "class_head.2"
    fresh = model.state_dict()
    for suffix in ("weight", "bias"):
        kept = weights.pop(f"{answer}.{suffix}")
        for index, name in enumerate(class_names):
            if name in old.config.class_names:
                fresh[f"{answer}.{suffix}"][index] = kept[old.config.class_names.index(name)]
        weights[f"{answer}.{suffix}"] = fresh[f"{answer}.{suffix}"]
    model.load_state_dict(weights)
    return model
