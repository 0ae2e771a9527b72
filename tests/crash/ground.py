"""Where the crashes take place: a copy of the project for all of them, and for each a folder of its own."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from infra.runpod.simulator import launch
from infra.runpod.simulator.run import Simulator, running
from tests.crash.proxy import Proxy, between

PROJECT = Path(__file__).resolve().parents[2]
STACK = "crash"
COPIED = ("infra", "stacks", "images", "__main__.py", "Pulumi.yaml", "pyproject.toml", "README.md")
BARE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"
"""Without our packages: a pod whose Python has torch would look for a GPU with it, and start TensorBoard."""
QUICK = """\
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from infra.provider.serve import serve
from infra.provider.tables import training_run
from infra.runpod import client, job, ready, rent

ready.LOOK_S, ready.LOG_S = 0.2, 1.0
rent.LOOK_PAUSE_S = job.LOOK_PAUSE_S = 0.2
training_run.FIRST_SECONDS_S = 0.5
client.pause_s = lambda attempt: 0.1

if __name__ == "__main__":
    serve(sys.stdout)
"""
"""The plugin's `__main__` with short pauses, so that a crash takes seconds: what they wait for is only politeness."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """One crash's own: account, state, journal, keys, home."""

    folder: Path
    project: Path
    simulator: Simulator
    proxy: Proxy

    @property
    def home(self) -> Path:
        """Where the run comes home to."""
        return self.folder / "home"

    @property
    def leases(self) -> Path:
        """The journal's folder."""
        return self.folder / "state" / "sonarstack" / "leases"

    def variables(self) -> dict[str, str]:
        """For the processes; nothing of the user's account, engine and journal."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "RUNPOD_", "SONARSTACK_"))
        }
        return {
            **kept,
            "RUNPOD_REST_V2_API_URL": self.proxy.address,
            "RUNPOD_API_KEY": self.simulator.key,
            "XDG_STATE_HOME": str(self.folder / "state"),
            "PULUMI_HOME": str(self.folder / "pulumi"),
            "PULUMI_CONFIG_PASSPHRASE": "crash",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_COLOR": "1",
        }

    def told(self) -> list[dict[str, Any]]:
        """The ledger of the stand-in job: all that was ever computed."""
        path = self.folder / "ledger"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def write_settings(self, **others: object) -> None:
        """Of the stack; `others` by the names they have in its file."""
        settings: dict[str, object] = {
            "target": "runpod",
            "dataUrl": str(self.folder / "tiles"),
            "recipe": "smoke",
            "home": str(self.home),
            "gpus": json.dumps(["RTX 4090", "RTX 3090"]),
            "volumeGib": 10,
            "diskGib": 20,
            "workspace": str(self.simulator.allowed / "workspace"),
            "python": str(self.folder / "python"),
            "readyMinutes": 1,
            "maxUsdPerH": 0.6,
            "maxUsd": 1,
            "maxHours": 0.5,
            **others,
        }
        lines = [f"  sonarstack:{key}: {json.dumps(value)}\n" for key, value in settings.items()]
        (self.folder / f"Pulumi.{STACK}.yaml").write_text("config:\n" + "".join(lines))


def copy_project(folder: Path) -> Path:
    """What is tried does not change meanwhile, whoever works on this checkout; the code for the pod is small."""
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").write_text('"""Stands in for the program."""\n')
    (folder / ".venv").symlink_to(Path(sys.prefix))
    (folder / "infra" / "provider" / "__main__.py").write_text(QUICK)
    return folder


@contextmanager
def bare_pods() -> Iterator[None]:
    """Pods of this process run the bare Python."""
    with patch.object(launch, "PYTHON", BARE_PYTHON):
        yield


def lay(folder: Path, project: Path) -> None:
    """The folder of a stack that has never been up."""
    folder.mkdir(parents=True)
    for name in (*COPIED, "app", ".venv"):
        (folder / name).symlink_to(project / name)
    (folder / "tiles").mkdir()
    (folder / "tiles" / "tile-1.txt").write_text("a tile\n")
    job = Path(__file__).with_name("job.py")
    (folder / "python").write_text(f'#!/bin/sh\nexec "{BARE_PYTHON}" "{job}" "{folder}/ledger" "$@"\n')
    (folder / "python").chmod(0o755)


@contextmanager
def ground(folder: Path, project: Path, settings: Mapping[str, object], *, port: int = 0) -> Iterator[Ground]:
    """A stack's folder, with its account; all that runs is ended on exit.

    Args:
        settings: those that are not every crash's.
        port: where the account is reached; leases are of one address.
    """
    if not folder.exists():
        lay(folder, project)
    with (
        running(folder / "account", provision_s=0.1, start_s=0.1, grace_s=2.0) as simulator,
        between(simulator.address, port) as proxy,
    ):
        made = Ground(folder=folder, project=project, simulator=simulator, proxy=proxy)
        made.write_settings(**settings)
        yield made
