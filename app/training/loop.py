"""The training loop, readable from top to bottom."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.dataset.cache import PixelCache
from app.dataset.loader import Batch, TileLoader
from app.dataset.split import Split
from app.dataset.tiles import TileSet
from app.detector.model_file import ModelCard, write_model
from app.detector.torch_runtime import TorchRuntime
from app.device.memory import MemoryMonitor
from app.device.plan import DevicePlan
from app.errors import RunError
from app.evaluation.evaluate import evaluate_model
from app.evaluation.score import Scores
from app.exit_codes import ExitCode
from app.storage import atomic_write
from app.telemetry.progress import Progress
from app.training.limits import Interruption, Limits, catch_interruption
from app.training.recipe import TrainConfig
from app.training.run_folder import RunFolder
from app.training.session import Session

LOG_EVERY_STEPS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainJob:
    """What to train, on what, and until when."""

    config: TrainConfig
    tiles: TileSet
    split: Split
    plan: DevicePlan
    run: RunFolder
    limits: Limits
    workers: int = 1
    """Threads that prepare tiles ahead of the device."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a training ended."""

    code: ExitCode
    reason: str
    scores: Scores | None
    """Of the best epoch, on the validation part; None if no epoch was evaluated on this machine."""
    model_path: Path | None
    epochs: int
    images_per_s: float


@dataclass(slots=True)
class _Meter:
    """Sums between two log lines."""

    started: float
    steps: int = 0
    images: int = 0
    loss: float = 0.0
    waited_s: float = 0.0


def train(job: TrainJob, progress: Progress) -> Outcome:
    """Train until the recipe is done, a limit is reached, or somebody asks for a stop.

    Whatever the reason, the last checkpoint and the manifest are written before this returns.

    Raises:
        DeviceError: not one sample fits into memory.
        RunError: the loss stays not finite, or the newest checkpoint belongs to another job.
        OutputError: the run folder cannot be written.
    """
    with catch_interruption() as interruption:
        return _Training(job, progress, interruption).run()


class _Training:
    """One call of `train`."""

    def __init__(self, job: TrainJob, progress: Progress, interruption: Interruption) -> None:
        self.job, self.config, self.run_folder = job, job.config, job.run
        self.progress, self.interruption = progress, interruption
        self.started = time.monotonic()
        self.last_checkpoint = self.started
        self.memory = MemoryMonitor(job.plan.device)
        cache = PixelCache(job.tiles)
        self.mosaic_loader = self._loader(cache, mosaic=True)
        self.plain_loader = self._loader(cache, mosaic=False)
        self.steps_per_epoch = len(self.mosaic_loader)
        if self.steps_per_epoch == 0:
            raise RunError(
                "the training part of the split is empty; give more tiles, or a smaller --val-fraction"
            )
        total = self.config.epochs * self.steps_per_epoch
        self.session = Session(self.config, job.tiles.class_names, job.plan, total_steps=total)
        self.seconds_before = 0.0
        self.scores: Scores | None = None
        self.images_seen, self.train_s = 0, 0.0
        self.validation = job.tiles.subset(job.split.val)
        self._resume()

    def _loader(self, cache: PixelCache, *, mosaic: bool) -> TileLoader:
        augmentation = self.config.augmentation if mosaic else self.config.augmentation.without_mosaic()
        return TileLoader(
            self.job.tiles,
            cache,
            self.job.split.train,
            size_px=self.config.size_px,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            augmentation=augmentation,
            workers=self.job.workers,
        )

    def _resume(self) -> None:
        newest = self.run_folder.newest_checkpoint()
        if newest is None:
            return
        with newest.open("rb") as stream:
            self.session.read_checkpoint(stream, newest.name)
        self.seconds_before = self.session.position.seconds
        done = self.session.position.step
        self.progress.note(
            f"resumed from {newest.name}: epoch {self.session.position.epoch + 1}, step {done}"
        )

    def run(self) -> Outcome:
        position = self.session.position
        self.progress.start("training", self.config.epochs * self.steps_per_epoch * self.config.batch_size)
        self.progress.advance(position.step * self.config.batch_size)
        while position.epoch < self.config.epochs:
            code = self._epoch()
            if code is not None:
                return self._end(code, _reason(code, self.interruption, self.job.limits))
            position.epoch, position.batch = position.epoch + 1, 0
            last = position.epoch == self.config.epochs
            if last or position.epoch % self.config.evaluate_every == 0:
                self._evaluate()
            patience = self.config.patience_epochs
            if patience is not None and position.epoch - position.best_epoch > patience:
                return self._end(ExitCode.DONE, f"AP50 has not risen for {patience} epochs")
        return self._end(ExitCode.DONE, "all epochs done")

    def _epoch(self) -> ExitCode | None:
        """The rest of the current epoch; why to stop, or None at its end."""
        meter = _Meter(started=time.monotonic())
        losses: dict[str, float] = {}
        for batch, waited_s in _timed(self._batches()):
            meter.waited_s += waited_s
            losses = self.session.step(batch)
            count = len(batch.boxes)
            meter.steps, meter.images, meter.loss = (
                meter.steps + 1,
                meter.images + count,
                meter.loss + losses["loss"],
            )
            self.progress.advance(count, f"epoch {self.session.position.epoch + 1} loss {losses['loss']:.2f}")
            if self.session.position.step % LOG_EVERY_STEPS == 0:
                meter = self._log(meter, losses)
            code = self._why_stop()
            if code is not None:
                return code
            if time.monotonic() - self.last_checkpoint >= self.config.checkpoint_minutes * 60:
                self._checkpoint()
        if meter.steps:
            self._log(meter, losses)
        return None

    def _batches(self) -> Iterator[Batch]:
        position = self.session.position
        plain_from = self.config.epochs * (1 - self.config.plain_share)
        loader = self.plain_loader if position.epoch >= plain_from else self.mosaic_loader
        return loader.batches(position.epoch, start_batch=position.batch)

    def _why_stop(self) -> ExitCode | None:
        if self.interruption:
            return ExitCode.INTERRUPTED
        return self.job.limits.reached(time.monotonic() - self.started)

    def _evaluate(self) -> None:
        position = self.session.position
        runtime = TorchRuntime(self.session.average.module, plan=self.job.plan, name="average")
        scores, _ = evaluate_model(runtime, self.validation, size_px=self.config.size_px)
        self.run_folder.append_metrics(
            {
                "kind": "epoch",
                "epoch": position.epoch,
                "step": position.step,
                **scores.flat(),
                **self._costs(),
            }
        )
        self.progress.note(f"epoch {position.epoch}: AP50 {scores.ap50:.3f}, AP50:95 {scores.ap50_95:.3f}")
        if scores.ap50 > position.best_ap50:
            position.best_ap50, position.best_epoch = scores.ap50, position.epoch
            self.scores = scores
            self._keep_best(scores)

    def _keep_best(self, scores: Scores) -> None:
        card = ModelCard(
            name=f"{self.config.name}, epoch {self.session.position.epoch}",
            trained_on=f"{self.job.tiles.root.name}: {len(self.job.split.train)} tiles, seed {self.config.seed}",
            size_px=self.config.size_px,
            figures={"ap50": scores.ap50, "ap50_95": scores.ap50_95},
        )
        with atomic_write(self.run_folder.best_model) as stream:
            write_model(stream, self.session.average.module, card)

    def _costs(self) -> dict[str, float]:
        here = time.monotonic() - self.started
        return {"seconds": round(self.seconds_before + here, 3), "usd": round(self.job.limits.spent(here), 5)}

    def _log(self, meter: _Meter, losses: dict[str, float]) -> _Meter:
        seconds = time.monotonic() - meter.started
        self.images_seen, self.train_s = self.images_seen + meter.images, self.train_s + seconds
        position = self.session.position
        line = {
            "kind": "step",
            "epoch": position.epoch,
            "step": position.step,
            "loss": round(meter.loss / meter.steps, 5),
            **{f"loss_{k}": round(v, 5) for k, v in losses.items() if k != "loss"},
            "batch_s": round(seconds / meter.steps, 5),
            "waited_s": round(meter.waited_s / meter.steps, 5),
            "images_per_s": round(meter.images / seconds, 2),
            "total_steps": self.config.epochs * self.steps_per_epoch,
            "micro_batch": self.session.micro.micro,
            "errors": dict(position.errors),
            **self.memory.read().as_dict(),
            **self._costs(),
        }
        self.run_folder.append_metrics(line)
        return _Meter(started=time.monotonic())

    def _checkpoint(self) -> None:
        position = self.session.position
        position.seconds = self.seconds_before + time.monotonic() - self.started
        self.run_folder.save_checkpoint(
            position.step, self.session.write_checkpoint, keep=self.config.keep_checkpoints
        )
        self.last_checkpoint = time.monotonic()

    def _end(self, code: ExitCode, reason: str) -> Outcome:
        self.progress.done()
        self._checkpoint()
        best = self.run_folder.best_model if self.run_folder.best_model.exists() else None
        self.run_folder.append_metrics({"kind": "end", "code": int(code), "reason": reason, **self._costs()})
        self.run_folder.write_manifest(complete=False)
        return Outcome(
            code=code,
            reason=reason,
            scores=self.scores,
            model_path=best,
            epochs=self.session.position.epoch,
            images_per_s=self.images_seen / self.train_s if self.train_s else 0.0,
        )


def _timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Each batch with the seconds that the device waited for it."""
    asked = time.monotonic()
    for batch in batches:
        yield batch, time.monotonic() - asked
        asked = time.monotonic()


def _reason(code: ExitCode, interruption: Interruption, limits: Limits) -> str:
    if code is ExitCode.INTERRUPTED:
        return f"{interruption.signal_name} asked for a stop"
    if code is ExitCode.BUDGET:
        return f"the limit of {limits.max_usd} dollars is reached"
    return f"the limit of {limits.max_hours} hours is reached"
