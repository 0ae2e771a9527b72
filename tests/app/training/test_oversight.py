"""A training under watch: idle ends, hangs, dollars across machines, messages, and no secret anywhere."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.device.gpu_use import GpuUse
from app.exit_codes import ExitCode
from app.telemetry.progress import Silent
from app.training.limits import Limits
from app.training.loop import train
from app.training.manifest import verify_manifest
from app.training.run_folder import RunFolder
from tests.app.telemetry.hook import TOKEN, Hooked, hook
from tests.app.training.made_run import Notes, tiny_config, tiny_job, write_squares
from tests.app.training.test_loop import StopAfter, final_weights

__all__ = ["hook"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data")


class Gpu:
    """A probe that always reads the same; or fails."""

    def __init__(self, percent: float | None) -> None:
        self._percent = percent

    def read(self) -> tuple[GpuUse, ...]:
        if self._percent is None:
            raise RuntimeError("the driver is gone")
        return (GpuUse(percent=self._percent, memory_percent=20.0),)


def test_step_lines_tell_the_use_of_the_gpu(data: Path, tmp_path: Path) -> None:
    job = replace(tiny_job(data, tmp_path / "run", config=tiny_config(epochs=6)), probe=Gpu(87.0))
    train(job, Silent())
    lines = [line for line in job.run.read_metrics() if line["kind"] == "step"]
    assert lines[0]["gpu_percent"] == 87.0
    assert lines[0]["gpu_memory_percent"] == 20.0


def test_a_probe_that_fails_is_noted_once_and_breaks_nothing(data: Path, tmp_path: Path) -> None:
    job, notes = replace(tiny_job(data, tmp_path / "run"), probe=Gpu(None)), Notes()
    assert train(job, notes).code is ExitCode.DONE
    assert sum("not measured any more" in note for note in notes.notes) == 1
    assert not any("gpu_percent" in line for line in job.run.read_metrics())


def test_an_idle_gpu_ends_the_run_whole(data: Path, tmp_path: Path) -> None:
    config = tiny_config(epochs=4000)
    job = replace(tiny_job(data, tmp_path / "run", config=config), probe=Gpu(1.0), idle_minutes=2 / 60)
    outcome = train(job, Silent())
    assert outcome.code is ExitCode.IDLE
    end = job.run.read_metrics()[-1]
    assert (end["kind"], end["code"]) == ("end", 82)
    assert end["reason"].startswith("the GPU stayed at 2 % or less for 0.0333")
    assert job.run.newest_checkpoint() is not None
    assert verify_manifest(tmp_path / "run") == []


def test_a_busy_gpu_or_a_cpu_is_never_idle(data: Path, tmp_path: Path) -> None:
    for name, probe in (("busy", Gpu(50.0)), ("cpu", None)):
        job = replace(tiny_job(data, tmp_path / name), probe=probe, idle_minutes=0.5 / 60)
        assert train(job, Silent()).code is ExitCode.DONE


HANG = """
import sys, time
from dataclasses import replace
from pathlib import Path
from app.dataset.tile_batches import TileBatches
from app.telemetry.idleness import Idleness
from app.telemetry.progress import Bar
from app.training import loop, watchdog
from app.training.run_folder import RunFolder
from app.training.session import Session
from tests.app.training.made_run import tiny_config, tiny_job
from tests.app.training.test_oversight import Gpu

hung, moved = [], [0.0]

def hangs(*args, **kwargs):
    hung.append(time.monotonic())
    time.sleep(600)

def look(self, percent, now_s):
    quiet_s = now_s - moved[0]
    return "the GPU slept" if hung and quiet_s > WAIT_S else None

def after(count, real):
    left = [count]
    def call(*args, **kwargs):
        left[0] -= 1
        return hangs() if left[0] < 0 else real(*args, **kwargs)
    return call

where, data, run = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
WAIT_S = float(sys.argv[4])
watchdog.GRACE_S = watchdog.ENDING_GRACE_S = float(sys.argv[5])
watchdog.TICK_S = 0.5
Idleness.look = look
Idleness.progressed = lambda self, now_s: moved.__setitem__(0, now_s)
loop.CLAIM_WITHIN_S = 1.0
job = tiny_job(data, run, config=tiny_config(epochs=3, checkpoint_minutes=0.0001))
if where.startswith("loader"):
    TileBatches.batch = after(7, TileBatches.batch)
if where == "loader ahead":
    accumulate = Session._accumulate
    Session._accumulate = lambda *args: time.sleep(2 * watchdog.TICK_S) or accumulate(*args)
elif where == "step":
    Session._accumulate = after(6, Session._accumulate)
elif where == "checkpoint":
    RunFolder._save_checkpoint = after(3, RunFolder._save_checkpoint)
loop.train(replace(job, probe=Gpu(0.0), idle_minutes=30), Bar())
print("it came back")
"""


def run_that_hangs(
    where: str, data: Path, run: Path, *, wait_s: float = 1.5, grace_s: float = 1.5
) -> subprocess.CompletedProcess[str]:
    """A training in a process of its own, called idle when something in it hangs and nothing went on for so long."""
    return subprocess.run(
        [sys.executable, "-c", HANG, where, str(data), str(run), str(wait_s), str(grace_s)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.slow
@pytest.mark.parametrize(("where", "last_step"), [("loader", 7), ("step", 6), ("checkpoint", 3)])
def test_a_training_that_hangs_is_ended_with_what_is_safe(
    data: Path, tmp_path: Path, where: str, last_step: int
) -> None:
    """Waiting for data it is at rest: a checkpoint is written. In mid-step or mid-write the last one stands."""
    run = tmp_path / "run"
    done = run_that_hangs(where, data, run)
    assert done.returncode == 82, done.stderr
    assert "it came back" not in done.stdout
    assert "the training hung and was ended from outside" in done.stderr
    newest = RunFolder(run).newest_checkpoint()
    assert newest is not None
    assert newest.name == f"step-{last_step:08d}.pt"
    ends = [line["code"] for line in RunFolder(run).read_metrics() if line["kind"] == "end"]
    if where == "checkpoint":
        assert "nothing was added" in done.stderr
        assert ends == []
    else:
        assert ends == [82]
        assert verify_manifest(run) == []


@pytest.mark.slow
def test_a_loader_that_hangs_at_the_end_does_not_hold_up_the_checkpoint(data: Path, tmp_path: Path) -> None:
    """The loop still has batches when it is asked; only the loader's thread cannot be joined."""
    run = tmp_path / "run"
    done = run_that_hangs("loader ahead", data, run, wait_s=-1.0, grace_s=15.0)  # time to end by itself
    assert done.returncode == 82, done.stderr
    assert "it came back" not in done.stdout
    ends = [line for line in RunFolder(run).read_metrics() if line["kind"] == "end"]
    assert [(line["code"], line["reason"]) for line in ends] == [(82, "the GPU slept")]
    assert verify_manifest(run) == []


@pytest.mark.slow
def test_a_checkpoint_written_from_outside_is_as_good_as_any(data: Path, tmp_path: Path) -> None:
    config = tiny_config(epochs=3)
    train(tiny_job(data, tmp_path / "whole", config=config), Silent())
    assert run_that_hangs("loader", data, tmp_path / "hung").returncode == 82
    assert train(tiny_job(data, tmp_path / "hung", config=config), Silent()).code is ExitCode.DONE
    whole, hung = final_weights(tmp_path / "whole"), final_weights(tmp_path / "hung")
    assert all(torch.equal(whole[name], hung[name]) for name in whole)


def test_dollars_of_the_run_count_on_the_next_machine(data: Path, tmp_path: Path) -> None:
    limits = Limits(max_usd=1000.0, price_usd_per_h=3600.0)  # a dollar a second
    config = tiny_config(epochs=3)
    first = train(tiny_job(data, tmp_path / "run", config=config, limits=limits), StopAfter(6))
    assert first.code is ExitCode.INTERRUPTED
    spent = RunFolder(tmp_path / "run").spent_usd()
    assert spent > 0
    again = tiny_job(data, tmp_path / "run", config=config, limits=limits)
    assert again.limits.spent_usd == spent
    told = tiny_job(data, tmp_path / "run", config=config, limits=replace(limits, spent_usd=spent + 5))
    assert told.limits.spent_usd == spent + 5
    low = replace(limits, max_usd=spent + 0.001)
    assert train(tiny_job(data, tmp_path / "run", limits=low), Silent()).code is ExitCode.BUDGET


def test_dollars_come_from_the_mirror_on_a_fresh_disk(data: Path, tmp_path: Path) -> None:
    limits = Limits(max_usd=1000.0, price_usd_per_h=3600.0)
    run = tmp_path / "run"
    job = tiny_job(data, run, limits=limits)
    mirrored = RunFolder(run, mirror=str(tmp_path / "far"))
    train(replace(job, run=mirrored), StopAfter(6))
    spent = mirrored.spent_usd()
    fresh = RunFolder(tmp_path / "fresh", mirror=str(tmp_path / "far"))
    fresh.restore()
    assert fresh.spent_usd() == spent > 0


def test_the_run_leaves_early_enough_for_what_it_must_still_write(data: Path, tmp_path: Path) -> None:
    limits, here_s = Limits(max_hours=1.0), 3600.0 - 12.0
    job = tiny_job(data, tmp_path / "run", config=tiny_config(epochs=4000), limits=limits)
    outcome = train(replace(job, started_s=time.monotonic() - here_s), Silent())
    assert outcome.code is ExitCode.DEADLINE
    end = job.run.read_metrics()[-1]
    assert here_s < end["seconds"] < 3600


def test_the_reserve_is_what_checkpoint_and_evaluation_took(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, asked = RunFolder._save_checkpoint, []

    def slow(self: RunFolder, *args: object) -> Path:
        time.sleep(0.3)
        return save(self, *args)  # type: ignore[arg-type]

    def remember(self: Limits, measured_s: float) -> float:
        asked.append(measured_s)
        return 0.0

    monkeypatch.setattr(RunFolder, "_save_checkpoint", slow)
    monkeypatch.setattr(Limits, "reserve_s", remember)
    config = tiny_config(epochs=2, checkpoint_minutes=1e-6)
    train(tiny_job(data, tmp_path / "run", config=config), Silent())
    assert asked[0] == 0.0
    # The last with an evaluation before it; the first checkpoint also imports what writes it.
    assert 0.3 < min(asked[1:]) < asked[-1]


def command(data: Path, run: Path, *words: str) -> list[str]:
    base = [sys.executable, "-m", "app", "train", "--data", str(data), "--run", str(run), "--recipe", "smoke"]
    return [*base, "--size-px", "64", "--threads", "1", *words]


@pytest.mark.slow
def test_messages_of_a_whole_run_and_no_token_anywhere(data: Path, tmp_path: Path, hook: Hooked) -> None:
    run = tmp_path / "run"
    environment = {
        **os.environ,
        "SONARSTACK_NOTIFY_URL": f"{hook.address}/{TOKEN} json://127.0.0.1:1/{TOKEN}",
        "SONARSTACK_SPENT_USD": "0.9",
    }
    words = ("--epochs", "2", "--batch-size", "4", "--max-usd", "1", "--price-usd-per-h", "0.01")
    done = subprocess.run(
        command(data, run, *words), env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    titles = [message["title"] for _, message in hook.messages]
    assert [title.removeprefix(f"sonarstack: {tmp_path.name}/run ") for title in titles] == [
        "has spent 80% of its dollars",
        "is done",
    ]
    assert done.stderr.count("did not get through to address 2 (json)") == 2
    assert TOKEN not in done.stdout + done.stderr
    holding = [path for path in run.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []
    assert RunFolder(run).spent_usd() >= 0.9


@pytest.mark.slow
def test_an_error_is_told_too(tmp_path: Path, hook: Hooked) -> None:
    environment = {**os.environ, "SONARSTACK_NOTIFY_URL": hook.address}
    done = subprocess.run(
        command(tmp_path / "nothing", tmp_path / "run"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert len(hook.messages) == 1
    message = hook.messages[0][1]
    assert message["title"].endswith("/run failed")
    assert "DatasetError: " in message["message"]
