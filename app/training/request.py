"""What is asked of a training, and what it answers."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.evaluation.score import Scores
from app.exit_codes import ExitCode


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """What the command line says beyond the settings; None means not said."""

    run: Path
    resume: bool = True
    skip_bad: bool = False
    batch_size: str | None = None
    """A number, or `auto`."""
    val_fraction: float | None = None
    start_from: str | None = None
    dtype: str | None = None
    threads: int | None = None
    workers: int | None = None
    compile: bool | None = None
    deterministic: bool = False
    started_s: float | None = None
    """Since when hours and dollars count, by the monotonic clock; None for the call of the training."""
    anew: str = "another --run trains again, and goes on from this one with --start-from"
    """What to do where the run is complete, in the options of who asks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    """How a training ended, for people and programs."""

    code: ExitCode
    reason: str
    run: str
    model: str | None
    epochs: int
    images_per_s: float
    scores: Scores | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **asdict(self),
            "code": int(self.code),
            "scores": self.scores.as_dict() if self.scores else None,
        }

    def as_text(self) -> str:
        """A few lines for the terminal."""
        lines = [f"{self.reason}; run in {self.run} (exit code {int(self.code)})"]
        if self.scores is not None:
            s = self.scores
            lines.append(
                f"validation: AP50 {s.ap50:.3f}, AP50:95 {s.ap50_95:.3f}, precision {s.precision:.3f}, "
                f"recall {s.recall:.3f} at confidence {s.threshold:.2f} ({s.boxes} boxes, {s.images} tiles)"
            )
        if self.images_per_s:
            lines.append(f"speed: {self.images_per_s:.1f} images/s")
        if self.code is ExitCode.BUDGET:
            lines.append(
                "go on with the same command and a higher limit (--max-usd): what the run has spent counts; "
                "it takes up the newest checkpoint"
            )
        elif self.code in (ExitCode.INTERRUPTED, ExitCode.DEADLINE, ExitCode.IDLE):
            lines.append("go on with the same command: it takes up the newest checkpoint")
        elif self.model:
            lines.append(f"next: python -m app detect SURVEY.xtf --model {self.run} --out contacts")
        return "\n".join(lines)
