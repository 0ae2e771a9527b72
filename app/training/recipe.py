"""Recipes: a run is a function that returns its whole configuration."""

from dataclasses import dataclass, field

from app.dataset.augment import Augmentation
from app.errors import SettingsError
from app.training.optimiser import OptimiserConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Everything that decides how a run goes, apart from data and device."""

    name: str
    size_px: int = 256
    """Side of a training tile; a multiple of 32."""
    epochs: int = 100
    batch_size: int = 16
    """Samples per step, whatever part of them fits into memory at once."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    warmup_steps: int = 60
    final_rate: float = 0.01
    """Part of the peak rate that is left at the end."""
    clip_norm: float = 10.0
    ema_decay: float = 0.998
    augmentation: Augmentation = field(default_factory=Augmentation)
    plain_share: float = 0.15
    """Part of the run, at its end, without mosaic: the last steps see tiles as they are."""
    start_from: str | None = None
    """Model file whose weights are the start; `shipped` for the project's own; None for random weights."""
    val_fraction: float = 0.2
    evaluate_every: int = 5
    """Epochs between evaluations; the last epoch is always evaluated."""
    patience_epochs: int | None = None
    """Stop when the AP50 has not risen for so many epochs; None never stops early."""
    checkpoint_minutes: float = 10.0
    keep_checkpoints: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size_px % 32 or self.size_px < 64:
            low = max(64, self.size_px // 32 * 32)
            raise SettingsError(
                f"size_px={self.size_px} must be a multiple of 32, at least 64; try {low} or {low + 32}"
            )
        for name in ("epochs", "batch_size", "evaluate_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name}={getattr(self, name)} must be at least 1")
        if not 0 < self.val_fraction < 1:
            raise SettingsError(f"val_fraction={self.val_fraction} must lie between 0 and 1, such as 0.2")


def smoke() -> TrainConfig:
    """Seconds: does everything fit together on this machine and this data?"""
    return TrainConfig(name="smoke", size_px=128, epochs=2, batch_size=8, evaluate_every=1, warmup_steps=5)


def baseline() -> TrainConfig:
    """From random weights.

    On SDVD, three folds over recording minutes, last epoch, one seed: AP50 .753 ± .210, AP50:95 .349 ± .123, most of
    the spread being between the minutes. What was tried to better it stands in benchmarks/results/accuracy.md.
    """
    return TrainConfig(name="baseline")


def fine_tune() -> TrainConfig:
    """From the shipped weights, for a few hundred tiles of one's own sonar."""
    return TrainConfig(
        name="fine_tune",
        epochs=40,
        start_from="shipped",
        optimiser=OptimiserConfig(muon_rate=0.01, adam_rate=1e-3),
        patience_epochs=20,
    )


RECIPES = {"smoke": smoke, "baseline": baseline, "fine_tune": fine_tune}


def recipe(name: str) -> TrainConfig:
    """The recipe of this name.

    Raises:
        SettingsError: there is no such recipe.
    """
    if name not in RECIPES:
        raise SettingsError(f"recipe {name!r} does not exist; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]()
