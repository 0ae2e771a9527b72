"""What a cloud tells becomes an end with a checkpoint, or a checkpoint alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.exit_codes import ExitCode
from app.telemetry.interruption_notices.aws import SpotNotices
from app.telemetry.interruption_notices.azure import ScheduledEvents
from app.telemetry.interruption_notices.notice import Notice
from app.telemetry.progress import Silent
from app.training.job import TrainJob
from app.training.loop import train
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
    return replace(job, provider_notices=Told(tmp_path / "run" / "metrics.jsonl", told))


class Told:
    """A cloud that is asked often."""

    every_s, silent_s = 0.01, 60.0

    def __init__(self, metrics: Path, told: list[Notice]) -> None:
        self.metrics, self.told = metrics, told

    def look(self) -> tuple[Notice, ...]:
        begun = self.metrics.is_file() and '"kind": "step"' in self.metrics.read_text()
        return tuple(self.told) if begun else ()


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


@pytest.mark.parametrize("provider", ["local", "gcp"])
def test_no_cloud_is_asked_that_gives_no_notice(provider: str) -> None:
    assert notices_of(provider, None) is None


@pytest.mark.parametrize(
    ("provider", "kind", "own"),
    [
        ("aws", SpotNotices, "http://169.254.169.254"),
        ("azure", ScheduledEvents, "http://169.254.169.254"),
    ],
)
def test_each_cloud_is_asked_where_the_settings_say(
    provider: str, kind: type[SpotNotices | ScheduledEvents], own: str
) -> None:
    told, usual = notices_of(provider, "http://127.0.0.1:9"), notices_of(provider, None)
    assert isinstance(told, kind)
    assert isinstance(usual, kind)
    assert (told.address, usual.address) == ("http://127.0.0.1:9", own)


def test_of_thirty_seconds_little_goes_by_unheard() -> None:
    assert (ScheduledEvents.every_s, SpotNotices.every_s) == (1.0, 5.0)
