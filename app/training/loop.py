"""The training loop, readable from top to bottom."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from app.dataset.cache import PixelCache
from app.dataset.loader import TileLoader
from app.dataset.tile_batches import Batch
from app.detector.model_file import ModelCard, write_model
from app.detector.torch_runtime import TorchRuntime
from app.device.gpu_use import gpu_probe
from app.device.memory import MemoryMonitor
from app.errors import RunError
from app.evaluation.evaluate import evaluate_model
from app.evaluation.score import Scores
from app.exit_codes import ExitCode
from app.storage import atomic_write
from app.telemetry.gpu_meter import GpuMeter
from app.telemetry.notify import Notifier
from app.telemetry.progress import Progress, Silent
from app.training.batches import recipe_batches
from app.training.checkpoint import Checkpoint
from app.training.job import TrainJob
from app.training.limits import Interruption, Limits, catch_interruption
from app.training.notices import Notices
from app.training.provider_notices import watch_notices
from app.training.session import Session
from app.training.step_meter import StepMeter
from app.training.watchdog import Rest, Watchdog

LOG_EVERY_STEPS = 10
CLAIM_WITHIN_S = 5.0
"""So long another thread waits for a training that hangs to be at rest, or to let go of its folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a training ended."""

    code: ExitCode
    reason: str
    scores: Scores | None
    """Of the best epoch, on the validation part; None if no epoch was evaluated on this machine."""
    epochs: int
    images_per_s: float


def train(job: TrainJob, progress: Progress) -> Outcome:
    """Train until the recipe is done, a limit is reached, or somebody asks for a stop.

    Whatever the reason, the last checkpoint and the manifest are written before this returns.

    Raises:
        DeviceError: not one sample fits into memory.
        RunError: the loss stays not finite, or the newest checkpoint belongs to another job.
        OutputError: the run folder cannot be written.
    """
    probe, why_not = job.probe, ""
    if probe is None and job.team.first:
        probe, why_not = gpu_probe(job.plan.device)
    if why_not:
        progress.note(why_not)
    with (
        catch_interruption() as interruption,
        GpuMeter(probe, note=progress.note) as meter,
        watch_notices(job.provider_notices, interruption, note=progress.note),
    ):
        training = _Training(job, progress, interruption, meter)
        with training.watchdog:
            try:
                return training.run()
            finally:
                training.close()


class _Training:
    """One call of `train`."""

    def __init__(
        self, job: TrainJob, progress: Progress, interruption: Interruption, meter: GpuMeter
    ) -> None:
        self.job, self.config, self.run_folder = job, job.config, job.run
        self.progress, self.interruption, self.meter = progress, interruption, meter
        self.last_checkpoint = time.monotonic()
        self.checkpoint_s = self.evaluation_s = 0.0
        """What the last ones took."""
        self.rest = Rest()
        self.batches: Generator[tuple[Batch, float]] | None = None
        self.ended = False
        self.notices = Notices(job.run, job.notifier or Notifier(None, note=progress.note), job.limits)
        accelerated = job.plan.device.type != "cpu" or job.probe is not None
        self.watchdog = Watchdog(
            interruption,
            # The first process minds the clock for all: the others may wait for its evaluation.
            job.limits if job.team.first else Limits(),
            meter=meter,
            idle_minutes=job.idle_minutes if accelerated and job.team.first else None,
            started_s=job.started_s,
            last_words=self._last_words,
            leave=job.team.leave,
        )
        self.memory = MemoryMonitor(job.plan.device)
        self.loader = self._loader()
        self.steps_per_epoch = len(self.loader)
        if self.steps_per_epoch == 0:
            raise RunError(
                "the training part of the split is empty; give more tiles, or a smaller --val-fraction"
            )
        self.session = self._session()
        self.seconds_before = self.session.position.seconds
        self.scores: Scores | None = None
        self.steps = StepMeter()
        self.validation = job.tiles.subset(job.split.val)

    def _loader(self) -> TileLoader:
        job, plan, team = self.job, self.job.plan, self.job.team
        cache = PixelCache(job.tiles, sharers=team.local_size)
        batches = recipe_batches(
            self.config, job.tiles, cache, job.split.train, part=team.rank, parts=team.size
        )
        return TileLoader(
            batches, workers=plan.workers, processes=plan.worker_processes, note=self.progress.note
        )

    def _session(self) -> Session:
        """New, or where the newest checkpoint left off."""
        job = self.job
        newest = self.run_folder.newest_checkpoint()
        found = None if newest is None else (newest.name, newest.read_bytes())
        found = job.team.from_first(found, "reads the last checkpoint")
        checkpoint = None
        if found is not None:
            name, content = found
            checkpoint = Checkpoint.read(content, name, job.plan.device)
        session = Session(
            self.config,
            job.tiles.class_names,
            job.plan,
            total_steps=self.config.epochs * self.steps_per_epoch,
            team=job.team,
            checkpoint=checkpoint,
        )
        if checkpoint is not None:
            position = session.position
            self.progress.note(
                f"resumed from {checkpoint.name}: epoch {position.epoch + 1}, step {position.step}"
            )
        return session

    def run(self) -> Outcome:
        position = self.session.position
        self.progress.start("training", self.config.epochs * self.steps_per_epoch * self.config.batch_size)
        self.progress.advance(position.step * self.config.batch_size)
        while position.epoch < self.config.epochs:
            patience = self.config.patience_epochs
            if patience is not None and position.epoch - position.best_epoch > patience:
                return self._end(ExitCode.DONE, f"AP50 has not risen for {patience} epochs")
            asked = self._epoch()
            if asked is not None:
                return self._end(*asked)
            position.epoch, position.batch = position.epoch + 1, 0
            last = position.epoch == self.config.epochs
            if last or position.epoch % self.config.evaluate_every == 0:
                self._evaluate()
        return self._end(ExitCode.DONE, "all epochs done")

    def _epoch(self) -> tuple[ExitCode, str] | None:
        """The rest of the current epoch; why to stop, or None at its end."""
        self.steps.begin()
        position = self.session.position
        self.batches = _timed(self.loader.batches(position.epoch, start_batch=position.batch), self.rest)
        for batch, waited_s in self.batches:
            losses = self.session.step(batch)
            self.watchdog.alive()
            count = len(batch.boxes) * self.job.team.size
            self.steps.add(losses, images=count, waited_s=waited_s)
            self.progress.advance(count, f"epoch {self.session.position.epoch + 1} loss {losses['loss']:.2f}")
            if self.session.position.step % LOG_EVERY_STEPS == 0:
                self._log()
            self.notices.dollars(self._spent(), {"step": self.session.position.step, **self._costs()})
            asked = self._why_stop()
            if asked is not None:
                return asked
            overdue_s = time.monotonic() - self.last_checkpoint - self.config.checkpoint_minutes * 60
            if overdue_s >= 0 or self.interruption.wants_checkpoint:
                self._checkpoint()
        self._log()
        return None

    def _why_stop(self) -> tuple[ExitCode, str] | None:
        asked = self.interruption.asked
        if asked is None:
            limits = self.job.limits
            reserve_s = limits.reserve_s(self.checkpoint_s + self.evaluation_s)
            code = limits.reached(self._here_s(), reserve_s=reserve_s)
            asked = (code, limits.reason(code)) if code is not None else None
        return self.job.team.stop(asked)

    def _evaluate(self) -> None:
        position = self.session.position
        if self.job.team.first:
            self._score()
        best = position.best_ap50, position.best_epoch
        position.best_ap50, position.best_epoch = self.job.team.from_first(best, "evaluates")

    def _score(self) -> None:
        started = time.monotonic()
        position = self.session.position
        runtime = TorchRuntime(self.session.average.module, plan=self.job.plan, name="average")
        scores, _ = evaluate_model(
            runtime, self.validation, size_px=self.config.size_px, progress=_SignOfLife(self.watchdog)
        )
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
        # Where validation holds no box every epoch scores 0: the last one is kept then, not the first.
        if scores.ap50 > position.best_ap50 or not scores.boxes:
            position.best_ap50, position.best_epoch = scores.ap50, position.epoch
            self.scores = scores
            self._keep_best(scores)
        self.evaluation_s = time.monotonic() - started
        self.watchdog.alive()

    def _keep_best(self, scores: Scores) -> None:
        card = ModelCard(
            name=f"{self.config.name}, epoch {self.session.position.epoch}",
            trained_on=f"{self.job.tiles.root.name}: {len(self.job.split.train)} tiles, seed {self.config.seed}",
            size_px=self.config.size_px,
            figures={"ap50": scores.ap50, "ap50_95": scores.ap50_95},
        )
        with atomic_write(self.run_folder.best_model) as stream:
            write_model(stream, self.session.average.module, card)

    def _here_s(self) -> float:
        return time.monotonic() - self.job.started_s

    def _spent(self) -> float:
        return self.job.limits.spent(self._here_s())

    def _costs(self) -> dict[str, float]:
        return {"seconds": round(self.seconds_before + self._here_s(), 3), "usd": round(self._spent(), 5)}

    def _log(self) -> None:
        figures = self.steps.take()
        if not figures:
            return
        position = self.session.position
        line = {
            "kind": "step",
            "epoch": position.epoch,
            "step": position.step,
            **figures,
            "total_steps": self.config.epochs * self.steps_per_epoch,
            "micro_batch": self.session.micro.micro,
            "processes": self.job.team.size,
            "errors": dict(position.errors),
            **self.memory.read().as_dict(),
            **self.meter.take(),
            **self._costs(),
        }
        self.run_folder.append_metrics(line)

    def _checkpoint(self) -> None:
        started = time.monotonic()
        self.interruption.wants_checkpoint = False
        position = self.session.position
        position.seconds = self.seconds_before + self._here_s()
        self.run_folder.save_checkpoint(
            position.step, self.session.write_checkpoint, keep=self.config.keep_checkpoints
        )
        self.last_checkpoint = time.monotonic()
        self.checkpoint_s = self.last_checkpoint - started
        self.watchdog.alive()

    def close(self) -> None:
        """End what prepares tiles: last of all, since one that hangs holds this up, and not the last checkpoint."""
        self.watchdog.alive()
        if self.batches is not None:
            self.batches.close()
        self.loader.close()

    def _last_words(self, code: ExitCode, reason: str) -> None:
        """Another thread's, when the loop hangs; a checkpoint only where it hangs waiting for data.

        Elsewhere weights, optimiser and position may be of different steps: then the last checkpoint stands.
        """
        self.progress.note(f"{reason}; exit code {int(code)}")
        if self.ended:
            return
        self.notices.ended(code, reason, usd=self._spent(), step=self.session.position.step)
        if self.rest.claim(CLAIM_WITHIN_S):
            self._checkpoint()
        line = {"kind": "end", "code": int(code), "reason": reason, **self._costs()}
        if not self.run_folder.end_from_outside(line, wait_s=CLAIM_WITHIN_S):
            self.progress.note("it hung while writing the run: nothing was added to what is there")
        if self.job.notifier is not None:
            self.job.notifier.close()

    def _end(self, code: ExitCode, reason: str) -> Outcome:
        self.watchdog.ending()
        self.progress.done()
        if code is not ExitCode.DONE:
            self.notices.ended(code, reason, usd=self._spent(), step=self.session.position.step)
        self._checkpoint()
        self.run_folder.append_metrics({"kind": "end", "code": int(code), "reason": reason, **self._costs()})
        self.run_folder.write_manifest(complete=False)
        self.ended = True
        return Outcome(
            code=code,
            reason=reason,
            scores=self.scores,
            epochs=self.session.position.epoch,
            images_per_s=self.steps.images_per_s,
        )


def _timed(batches: Iterator[Batch], rest: Rest) -> Generator[tuple[Batch, float]]:
    """Each batch with the seconds that the device waited for it."""
    while True:
        asked = time.monotonic()
        with rest.rest():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.monotonic() - asked


class _SignOfLife(Silent):
    """An evaluation gets on."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog

    def advance(self, amount: float = 1, note: str = "") -> None:  # noqa: ARG002
        self._watchdog.alive()
