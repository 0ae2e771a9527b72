"""What is compared: each variant is the base recipe with something changed."""

from dataclasses import dataclass, field, replace
from typing import Any

from app.dataset.augment import Augmentation
from app.detector.loss import LossConfig
from app.detector.network import DetectorConfig
from app.training.optimiser import OptimiserConfig
from app.training.recipe import TrainConfig

PLAIN = TrainConfig(
    name="plain",
    batch_size=16,
    ema_decay=0.998,
    final_rate=0.01,
    optimiser=OptimiserConfig(muon_rate=0.02, adam_rate=2e-3),
    augmentation=Augmentation(scale=(0.6, 1.6), mosaic=0.5),
)
"""The recipe that others are compared with, written out: it stays when the project's own recipe moves on."""
PLAIN_NETWORK: dict[str, Any] = {"depths": (1, 2, 2, 1), "smoothing": True}
"""The network likewise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How one differs from the base."""

    config: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    test_scale: float = 1.0
    """Tiles are enlarged by this before they are looked at, in training and in test."""
    teacher: str = ""
    """Variant, trained before for as long on the same fold, whose class map is learned from too; its seed is 1."""

    def train_config(self, *, epochs: int, seed: int, start_from: str) -> TrainConfig:
        """The whole recipe."""
        return replace(
            PLAIN,
            epochs=epochs,
            seed=seed,
            start_from=start_from,
            augmentation=replace(PLAIN.augmentation, **self.augmentation),
            optimiser=replace(PLAIN.optimiser, **self.optimiser),
            **self.config,
        )

    def network_config(self, class_names: tuple[str, ...]) -> DetectorConfig:
        """The network with its changes."""
        return DetectorConfig(class_names=class_names, **(PLAIN_NETWORK | self.network))

    def loss_config(self) -> LossConfig:
        """The loss with its changes."""
        return LossConfig(**self.loss)


VARIANTS = {
    "plain": Variant(),
    "batch8": Variant(config={"batch_size": 8, "warmup_steps": 120}),
    "batch8-slow": Variant(
        config={"batch_size": 8, "warmup_steps": 120}, optimiser={"muon_rate": 0.014, "adam_rate": 1.4e-3}
    ),
    "batch8-light": Variant(
        config={"batch_size": 8, "warmup_steps": 120},
        augmentation={"gain_log": 0.35, "gamma_log": 0.25, "speckle": 0.1, "scale": (0.7, 1.4)},
    ),
    "crop": Variant(config={"size_px": 192}, augmentation={"scale": (0.8, 2.0)}),
    "crop-batch8": Variant(
        config={"size_px": 192, "batch_size": 8, "warmup_steps": 120}, augmentation={"scale": (0.8, 2.0)}
    ),
    "large": Variant(config={"size_px": 320}, augmentation={"scale": (0.75, 2.0)}, test_scale=1.25),
    "flat": Variant(network={"depths": (0, 2, 2, 1)}),
    "no-smoothing": Variant(network={"smoothing": False}),
    "taught": Variant(teacher="plain"),
    "wide": Variant(network={"widths": (40, 64, 128, 160), "neck_width": 80}),
    "narrow": Variant(network={"widths": (24, 36, 72, 96), "neck_width": 48}),
    "mosaic-always": Variant(augmentation={"mosaic": 0.9}),
    "no-mosaic": Variant(augmentation={"mosaic": 0.0}),
    "decay": Variant(optimiser={"muon_decay": 0.15}),
    "broad-box-cells": Variant(loss={"box_cell_threshold": 0.1}),
    "broad-targets": Variant(loss={"sigma_of_size": 0.24}),
    "iou-10": Variant(loss={"iou_weight": 10.0, "distribution_weight": 4.0}),
}


def variant(name: str) -> Variant:
    """A variant by its name, or several together by names with + between: `no-smoothing+flat`.

    Raises:
        KeyError: there is no such variant.
    """
    parts = [VARIANTS[n] for n in name.split("+")]
    together = {
        kind: {key: value for part in parts for key, value in getattr(part, kind).items()}
        for kind in ("config", "augmentation", "optimiser", "network", "loss")
    }
    return Variant(
        **together,
        test_scale=max(part.test_scale for part in parts),
        teacher=max(part.teacher for part in parts),
    )
