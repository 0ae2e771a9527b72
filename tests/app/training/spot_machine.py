"""A machine that a cloud takes in the middle of an epoch, and how its training is compared with an undisturbed one.

Real but for the cloud: a process of `python -m app train` with an empty home, whose data and run lie in a store, and
which hears of its end from a metadata address on loopback.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from app.config.settings import load_settings
from app.exit_codes import ExitCode
from app.telemetry.progress import Silent
from app.training.request import TrainRequest
from app.training.run import run_training
from tests.app.azure import without_azure

PROJECT = Path(__file__).parents[3]
EPOCHS, STEPS_AN_EPOCH = 2, 32
OFTEN = "from app.telemetry.interruption_notices.{} import {} as n; n.every_s = 0.05; "


class Machine:
    """A fresh one: an empty disk, and what its cloud and its stack tell it."""

    def __init__(
        self, folder: Path, variables: dict[str, str], *, asks: str | None = None, epochs: int = EPOCHS
    ) -> None:
        """
        Args:
            asks: module and class of the cloud's notices, to be asked more often than in earnest: then a short
                training is still under way.
        """
        folder.mkdir()
        self.run = folder / "run"
        whole = {
            **{
                k: v
                for k, v in without_azure(dict(os.environ)).items()
                if not k.startswith(("SONARSTACK_", "AWS_"))
            },
            **variables,
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
            "SONARSTACK_RECIPE": "smoke",
        }
        options = [
            *("train", "--run", str(self.run), "--epochs", str(epochs)),
            *("--batch-size", "1", "--size-px", "64", "--threads", "1"),
        ]
        often = OFTEN.format(*(asks or "").split(":")) if asks else ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{often}import app.__main__ as m; m.main()", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=PROJECT,
            env=whole,
        )

    def metrics(self) -> list[dict[str, Any]]:
        path = self.run / "metrics.jsonl"
        text = path.read_text() if path.is_file() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def until_step(self, step: int) -> None:
        deadline = time.monotonic() + 300
        while not any(line.get("step", 0) >= step for line in self.metrics()):
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        output, _ = self.process.communicate(timeout=400)
        return self.process.returncode, output

    def latest(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.run / "checkpoints" / "latest.json").read_text())
        return value


def resumed_from(output: str) -> int:
    """The step at which the next machine went on."""
    found = re.search(r"resumed from step-(\d+)\.pt", output)
    assert found is not None, output
    return int(found[1])


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


def uninterrupted(data: Path, run: Path, *, epochs: int = EPOCHS) -> None:
    settings = load_settings(
        variables={}, overrides={"data": str(data), "recipe": "smoke", "epochs": epochs, "size_px": 64}
    ).settings
    result = run_training(settings, TrainRequest(run=run, batch_size="1", threads=1), progress=Silent())
    assert result.code is ExitCode.DONE
