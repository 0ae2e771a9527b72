"""A spot machine is taken in the middle of an epoch; the next one, with nothing on its disk, goes on from the bucket.

All of it real but the cloud: two processes of `python -m app train`, data and run in a bucket of moto's server through
s3fs, the notice from a metadata address on loopback.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from app.config.settings import load_settings
from app.exit_codes import ExitCode
from app.telemetry.progress import Silent
from app.training.manifest import verify_manifest
from app.training.run import TrainRequest, run_training
from tests.app.aws import aws, aws_variables, put_data
from tests.app.telemetry.interruption_notices.metadata import metadata_server
from tests.app.training.made_run import write_squares

__all__ = ["aws"]

PROJECT = Path(__file__).parents[3]
BUCKET = "sonarstack-test"
EPOCHS, STEPS_AN_EPOCH = 2, 32
# The program itself, asking more often than every five seconds, so that the test is short.
PROGRAM = (
    "from app.telemetry.interruption_notices.aws import SpotNotices as n; n.every_s = 0.05; "
    "import app.__main__ as m; m.main()"
)


class Machine:
    """A fresh one: an empty disk, and what its cloud and its stack tell it."""

    def __init__(self, folder: Path, aws_address: str, metadata_address: str) -> None:
        folder.mkdir()
        self.run = folder / "run"
        variables = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SONARSTACK_", "AWS_"))},
            **aws_variables(aws_address),
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata_address,
            "SONARSTACK_CLOUD": "aws",
            "SONARSTACK_DATA_URL": f"s3://{BUCKET}/data",
            "SONARSTACK_RUN_URL": f"s3://{BUCKET}/runs/st/one",
            "SONARSTACK_RECIPE": "smoke",
        }
        options = [
            *("train", "--run", str(self.run), "--epochs", str(EPOCHS)),
            *("--batch-size", "1", "--size-px", "64", "--threads", "1"),
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=PROJECT,
            env=variables,
        )

    def metrics(self) -> list[dict[str, Any]]:
        path = self.run / "metrics.jsonl"
        text = path.read_text() if path.is_file() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def until_step(self, step: int) -> None:
        deadline = time.monotonic() + 120
        while not any(line.get("step", 0) >= step for line in self.metrics()):
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=240)
        return self.process.returncode, output

    def latest(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.run / "checkpoints" / "latest.json").read_text())
        return value


def weights(run: Path) -> dict[str, Any]:
    newest = max((run / "checkpoints").glob("step-*.pt"))
    state: dict[str, Any] = torch.load(newest, weights_only=True)
    return {name: state[name] for name in ("model", "average", "optimiser")}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def uninterrupted(data: Path, run: Path) -> None:
    settings = load_settings(
        variables={}, overrides={"data": str(data), "recipe": "smoke", "epochs": EPOCHS, "size_px": 64}
    ).settings
    result = run_training(settings, TrainRequest(run=run, batch_size="1", threads=1), progress=Silent())
    assert result.code is ExitCode.DONE


@pytest.mark.slow
def test_the_next_machine_ends_with_the_weights_of_an_uninterrupted_run(aws: str, tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason="needs s3fs: pip install 'sonarstack[cloud]'")
    data = write_squares(tmp_path / "data", count=40)
    put_data(data, BUCKET, "data")
    with metadata_server() as metadata:
        first = Machine(tmp_path / "first", aws, metadata.address)
        first.until_step(10)
        metadata.interrupt()
        code, output = first.end()
    assert code == ExitCode.INTERRUPTED, output
    assert "AWS takes this spot machine at 2026-11-28T12:02:00Z (terminate)" in output
    assert first.metrics()[-1]["reason"].startswith("AWS takes this spot machine")
    stopped_at = first.latest()["step"]
    assert 10 <= stopped_at < EPOCHS * STEPS_AN_EPOCH
    assert stopped_at % STEPS_AN_EPOCH != 0

    with metadata_server() as metadata:
        second = Machine(tmp_path / "second", aws, metadata.address)
        uninterrupted(data, tmp_path / "whole")
        code, output = second.end()
    assert code == ExitCode.DONE, output
    resumed = re.search(r"resumed from step-(\d+)\.pt", output)
    assert resumed is not None, output
    lost = stopped_at - int(resumed[1])
    assert lost == 0
    # Nothing was done twice either: the figures go on where they stopped.
    steps = [line["step"] for line in second.metrics() if line["kind"] == "step"]
    assert steps == sorted(set(steps))
    assert second.latest()["step"] == EPOCHS * STEPS_AN_EPOCH
    assert same(weights(second.run), weights(tmp_path / "whole"))
    assert verify_manifest(second.run) == []
