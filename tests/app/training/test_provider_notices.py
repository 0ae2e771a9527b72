"""What a cloud tells becomes an end with a checkpoint, or a checkpoint alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import app.telemetry.interruption_notices.watch as watch
from app.exit_codes import ExitCode
from app.telemetry.interruption_notices.aws import SpotNotices
from app.telemetry.interruption_notices.notice import Notice
from app.telemetry.progress import Silent
from app.training.loop import TrainJob, train
from app.training.manifest import verify_manifest
from app.training.provider_notices import notices_of
from tests.app.training.made_run import tiny_config, tiny_job, write_squares

END = Notice(ends=True, text="the cloud takes this machine")
WARNING = Notice(ends=False, text="the cloud may take this machine")


STEPS_AN_EPOCH = 5


def job_told(tmp_path: Path, told: list[Notice]) -> TrainJob:
    """A job of three epochs whose cloud says something once the first one is done."""
    config = tiny_config(epochs=3, evaluate_every=100)
    job = tiny_job(write_squares(tmp_path / "data"), tmp_path / "run", config=config)
    metrics = tmp_path / "run" / "metrics.jsonl"

    def look() -> tuple[Notice, ...]:
        begun = metrics.is_file() and '"kind": "step"' in metrics.read_text()
        return tuple(told) if begun else ()

    return replace(job, provider_notices=look)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.01)


def checkpoints(job: TrainJob, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps at which one is written."""
    steps: list[int] = []
    real = job.run.save_checkpoint

    def save(step: int, write: Any, *, keep: int) -> Path:
        steps.append(step)
        return real(step, write, keep=keep)

    monkeypatch.setattr(job.run, "save_checkpoint", save)
    return steps


def test_the_end_is_whole_and_tells_why(tmp_path: Path) -> None:
    job = job_told(tmp_path, [END])
    outcome = train(job, Silent())
    assert (outcome.code, outcome.reason) == (ExitCode.INTERRUPTED, END.text)
    assert job.run.read_metrics()[-1]["code"] == 83
    assert job.run.newest_checkpoint() is not None
    assert verify_manifest(tmp_path / "run") == []


def test_a_warning_is_one_checkpoint_at_once_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_told(tmp_path, [WARNING])
    steps = checkpoints(job, monkeypatch)
    outcome = train(job, Silent())
    assert outcome.code is ExitCode.DONE
    early, last = steps
    assert STEPS_AN_EPOCH <= early < last == 3 * STEPS_AN_EPOCH


@pytest.mark.parametrize("provider", ["local", "gcp", "azure"])
def test_no_cloud_is_asked_that_gives_no_notice(provider: str) -> None:
    assert notices_of(provider, None) is None


def test_aws_is_asked_where_the_settings_say() -> None:
    look = notices_of("aws", "http://127.0.0.1:9")
    assert look is not None
    assert isinstance(look.__self__, SpotNotices)  # type: ignore[attr-defined]
    assert look.__self__.address == "http://127.0.0.1:9"  # type: ignore[attr-defined]
