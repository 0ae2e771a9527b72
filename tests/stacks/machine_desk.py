"""A user's machine before a cloud's virtual machine: a stand-in engine, an empty state of its own, programs on PATH."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.jobs.job import JobStatus
from infra.runs.status import run_status
from stacks.live import Look
from tests.stacks.test_rented_verbs import PULUMI

RUNS = Look(status=JobStatus(state="running"), run=run_status(None, []))


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


class Desk:
    """What the stack tells, where its run comes home to, and what the engine was asked."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        where: Mapping[str, Any],
        run: Mapping[str, Any],
    ) -> None:
        """`run`: path and host of the run, as the stack's output has them."""
        self.folder, self.bin = folder, folder / "bin"
        self._told = {"where": where, "run": run}
        self.bin.mkdir(parents=True)
        self.program("pulumi", PULUMI.format(folder=folder))
        told = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PULUMI_CONFIG_PASSPHRASE": "x",
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        for name in ("RUNPOD_API_KEY", "RUNPOD_REST_V2_API_URL"):
            monkeypatch.delenv(name, raising=False)

    def program(self, name: str, text: str) -> None:
        """Put one on PATH."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def outputs(self, **values: object) -> None:
        """The stack is up, and tells this."""
        told = {**self._told, "home": str(self.home), **values}
        (self.folder / "outputs.json").write_text(json.dumps(told))

    @property
    def home(self) -> Path:
        """Where the run comes home to."""
        return self.folder / "home"

    @property
    def calls(self) -> list[str]:
        """Words of each call of the engine."""
        return (self.folder / "calls").read_text().splitlines()
