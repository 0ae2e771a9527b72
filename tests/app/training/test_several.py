"""Several processes by torchrun's agent, on gloo: the same curve as one, a lost one made good, ends as told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from app.detector.model_file import ModelCard, write_model
from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.exit_codes import ExitCode
from app.telemetry.progress import Silent
from app.training import optimiser
from app.training.loop import train
from app.training.manifest import verify_manifest
from app.training.run_folder import RunFolder
from tests.app.training.made_run import tiny_config, tiny_job, write_squares

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
PROGRAM = [sys.executable, "-m", "tests.app.training.made_several"]
WAIT_S = 500.0
"""Seconds on a machine with nothing else to do are a tenth of it."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("several") / "data")


def command(data: Path, run: Path, *more: str, epochs: int = 3) -> list[str]:
    words = [
        sys.executable,
        "-m",
        "app",
        "train",
        "--data",
        str(data),
        "--run",
        str(run),
        "--recipe",
        "smoke",
    ]
    words += ["--size-px", "64", "--batch-size", "4", "--epochs", str(epochs), "--dtype", "float32"]
    return [*words, "--threads", "1", *more]


def uneven_start(path: Path) -> Path:
    """A model without ties: of two equal boxes or a sum that is exactly 0 rounding alone chooses a gradient."""
    torch.manual_seed(1)
    model = SidescanTargetDetector(DetectorConfig(class_names=("target",)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=1e-3)
    with path.open("wb") as stream:
        write_model(stream, model, ModelCard(name="uneven"))
    return path


def losses(run: Path) -> list[float]:
    lines = RunFolder(run).read_metrics()
    return [
        line[name] for line in lines if line["kind"] == "step" for name in line if name.startswith("loss")
    ]


def workers_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The processes that train, the first rank first."""
    found = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    return sorted(found, key=lambda child: int(child.environ().get("RANK", "-1")))


def wait_for_checkpoint(run: Path, newer_than: str = "") -> str:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        latest = run / "checkpoints" / "latest.json"  # written last of all
        name = str(json.loads(latest.read_text())["file"]) if latest.is_file() else ""
        if name > newer_than:
            return name
        time.sleep(0.1)
    raise AssertionError(f"no checkpoint in {WAIT_S} s")


def test_two_processes_learn_what_one_does_from_the_same_batches(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = uneven_start(tmp_path / "start.pt")
    monkeypatch.setattr(optimiser, "_by_gram", optimiser._newton_schulz)
    train(tiny_job(data, tmp_path / "one", config=tiny_config(epochs=3, start_from=str(start))), Silent())
    words = [*PROGRAM, "exact_steps", str(data), str(tmp_path / "two"), str(start)]
    subprocess.run(words, env=ENVIRONMENT, timeout=WAIT_S, check=True)
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 12
    # Five steps within rounding. Then the training itself makes much of little: in one process, weights that are
    # moved by 1e-7 of themselves change the losses by 1e-7 up to the fifth step and by 2e-3 at the tenth.
    assert one[:4] == pytest.approx(two[:4], rel=2e-4)
    assert one[4:] == pytest.approx(two[4:], rel=5e-2)
    # One writer: each line once, each file as the manifest says.
    lines = RunFolder(tmp_path / "two").read_metrics()
    assert [line["kind"] for line in lines].count("end") == 1
    assert {line["processes"] for line in lines if line["kind"] == "step"} == {2}
    assert verify_manifest(tmp_path / "two") == []


def test_lost_process_is_made_good_from_the_last_checkpoint_and_a_stop_ends_all(
    data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    environment = {**ENVIRONMENT, "SONARSTACK_CHECKPOINT_MINUTES": "0.01"}
    # A dollar a second; what was spent before the loss is not spent again.
    words = command(data, run, "--nproc", "2", "--price-usd-per-h", "3600", epochs=4000)
    started_s = time.monotonic()
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(words, env=environment, stderr=log) as process,
    ):
        try:
            before = wait_for_checkpoint(run)
            victim = workers_of(process)[-1]
            victim.send_signal(signal.SIGKILL)
            lost = wait_for_checkpoint(run, newer_than=before)
            time.sleep(0.5)
            lost = max(lost, wait_for_checkpoint(run))
            wait_for_checkpoint(run, newer_than=lost)
            process.send_signal(signal.SIGTERM)
            code = process.wait(WAIT_S)
        finally:
            process.kill()
    text = (tmp_path / "log").read_text()
    assert "resumed from step-" in text, text
    assert code == ExitCode.INTERRUPTED, text
    last = RunFolder(run).read_metrics()[-1]
    assert (last["kind"], last["code"]) == ("end", int(ExitCode.INTERRUPTED))
    assert last["usd"] < time.monotonic() - started_s
    assert verify_manifest(run) == []


def test_short_memory_halves_what_all_take_at_once_and_a_deadline_ends_all(
    data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = [*PROGRAM, "short_memory", str(data), str(run)]
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == ExitCode.DEADLINE, done.stderr
    assert "CUDA out of memory" in done.stderr
    newest = RunFolder(run).newest_checkpoint()
    assert newest is not None
    assert torch.load(newest, weights_only=True)["micro"] == 1  # of two samples each
    assert verify_manifest(run) == []
