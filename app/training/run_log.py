"""What happens in a training, as records: its start, steps, scores, checkpoints, notes and end."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from app.config.settings import Settings
from app.seal.discreet import Discreet
from app.telemetry.cloud_logger import CloudLogger, open_sender
from app.telemetry.logs.scrub import Scrub
from app.telemetry.progress import Progress
from app.training.job import TrainJob
from app.training.metrics import plain
from app.training.run_folder import RunFolder


class RunLog:
    """A progress that records its notes, and the listener of a run folder."""

    def __init__(self, settings: Settings, run: RunFolder, progress: Progress) -> None:
        """Open the log that the settings name, and send what an earlier process of this run could not.

        Raises:
            SettingsError: see `open_sender`.
            OutputError: the folder beside the run cannot be made.
        """
        self._run, self._progress = run, progress
        self._newest = ""
        """Message of the newest line; the note that says the same to people is no record of its own."""
        cloud = settings.cloud
        name = "/".join(PurePosixPath(cloud.run_url or str(run.place)).parts[-2:])
        self._logger = CloudLogger(
            run=name,
            keep=run.append_log,
            note=self.note,
            scrub=_scrub(settings, progress),
            sender=open_sender(cloud.log_provider, cloud.log_group, run=name),
            queue=run.path.parent / f".{run.path.name}.log-queue",
        )
        run.listener, run.tell = self._line, self.note

    def start(self, what: str, total: float | None) -> None:
        """See `Progress.start`."""
        self._progress.start(what, total)

    def advance(self, amount: float = 1, note: str = "") -> None:
        """See `Progress.advance`."""
        self._progress.advance(amount, note)

    def note(self, text: str) -> None:
        """See `Progress.note`; and a record."""
        self._progress.note(text)
        if text != self._newest:
            self._logger.log("WARNING" if text.startswith("warning") else "INFO", "note", text)

    def done(self) -> None:
        """See `Progress.done`."""
        self._progress.done()

    def begun(self, job: TrainJob) -> None:
        """All is there, and the training begins or goes on."""
        config, plan = job.config, job.plan
        self._logger.log(
            "INFO",
            "start",
            f"training on {plan.device} ({plan.name}): recipe {config.name}, {len(job.tiles)} tiles",
            figures=plain(
                {
                    "recipe": config.name,
                    "epochs": config.epochs,
                    "batch_size": config.batch_size,
                    "size_px": config.size_px,
                    "seed": config.seed,
                    "tiles": len(job.tiles),
                    "dtype": str(plan.dtype).removeprefix("torch."),
                    "max_hours": job.limits.max_hours,
                    "max_usd": job.limits.max_usd,
                    "price_usd_per_h": job.limits.price_usd_per_h,
                    "spent_usd": job.limits.spent_usd,
                }
            ),
        )

    def failed(self, error: Exception) -> None:
        """The run ends with an error; of a sealed run its text is not told, it may name files."""
        text = type(error).__name__
        if not self._run.is_sealed:
            text = f"{text}: {error}".splitlines()[0]
        self._logger.log("ERROR", "failed", text)

    def close(self) -> None:
        """Send what waits, bounded."""
        self._logger.close()

    def _line(self, line: dict[str, Any]) -> None:
        """What the run folder wrote down."""
        kind = str(line.get("kind", "step"))
        self._newest = MESSAGES.get(kind, _other)(line)
        ended_badly = kind == "end" and line.get("code") != 0
        self._logger.log(
            "WARNING" if ended_badly or kind == "notice" else "INFO",
            kind,
            self._newest,
            step=line.get("step"),
            figures=plain({k: v for k, v in line.items() if k not in ("kind", "step")}),
        )


MESSAGES: dict[str, Callable[[dict[str, Any]], str]] = {
    "step": lambda line: f"step {line['step']}: loss {line['loss']:.4f}",
    "epoch": lambda line: f"epoch {line['epoch']}: AP50 {line['ap50']:.3f}, AP50:95 {line['ap50_95']:.3f}",
    "checkpoint": lambda line: f"checkpoint of step {line['step']}",
    "notice": lambda line: f"most of {line['max_usd']} dollars are spent",
    "end": lambda line: f"ends: {line['reason']} (exit code {line['code']})",
}


def _other(line: dict[str, Any]) -> str:
    return str(line.get("kind"))


def _scrub(settings: Settings, progress: Progress) -> Callable[[str], str]:
    """Secrets go from every text; of a sealed run the names of its files too."""
    secrets = Scrub((settings.cloud.notify_url,))
    if isinstance(progress, Discreet):
        return lambda text: secrets(progress.redact(text))
    return secrets
