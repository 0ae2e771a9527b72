"""Where a rehearsal takes place: one folder with account, data, settings and state, and variables that lead there."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import InfraError, SettingsError

PROJECT = Path(__file__).resolve().parents[2]
STACK = "rehearsal"
TILES, TILE_PX, EPOCHS = 24, 128, 3
CHECKPOINT_MINUTES = 0.1
CONTAINER_WORKSPACE = "/workspace"
"""As on the service itself; a process would need that folder on this machine."""
NEEDED = {"ssh": "openssh-client", "ssh-keygen": "openssh-client", "sshd": "openssh-server", "rsync": "rsync"}
"""Program to what brings it: the simulated pods run this machine's programs and are reached by a real SSH."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """All that is of this rehearsal alone."""

    folder: Path

    @property
    def account(self) -> Path:
        """The simulator's own."""
        return self.folder / "account"

    @property
    def allowed(self) -> Path:
        """Paths of pods that are processes lie in it."""
        return self.folder / "pods"

    @property
    def home(self) -> Path:
        """Where the run comes home to."""
        return self.folder / "home"

    def variables(self, account: Mapping[str, str]) -> dict[str, str]:
        """This process's, without the user's account, engine and journal.

        Args:
            account: what leads to the simulator.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PULUMI_", "RUNPOD_", "SONARSTACK_"))
        }
        return {
            **kept,
            **account,
            "XDG_STATE_HOME": str(self.folder / "state"),
            # Also where the engine notes which stack was last chosen, in ~/.pulumi else.
            "PULUMI_HOME": str(self.folder / "pulumi"),
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_urlsafe(16),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_SUPPRESS_NEO_LINK": "true",
            "NO_COLOR": "1",
        }

    def make_tiles(self) -> None:
        """A few simulated tiles to train on.

        Raises:
            InfraError: they could not be made.
        """
        words = [
            "simulate",
            "--tiles",
            str(TILES),
            "--size-px",
            str(TILE_PX),
            "--out",
            str(self.folder / "tiles"),
        ]
        done = subprocess.run(  # noqa: S603 our own program
            [sys.executable, "-m", "app", *words], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
            raise InfraError(f"no tiles to train on could be made ({reason}); try: python -m app doctor")

    def write_settings(self, workspace: str | None = None) -> None:
        """A short training, a short lease, small ceilings.

        Args:
            workspace: folder in the pod; one that a process can have if None.
        """
        settings = {
            "target": "runpod",
            "dataUrl": str(self.folder / "tiles"),
            "recipe": "smoke",
            "trainArguments": json.dumps(["--epochs", str(EPOCHS)]),
            "checkpointMinutes": CHECKPOINT_MINUTES,
            "home": str(self.home),
            "gpus": json.dumps(["RTX 4090", "RTX A5000", "L4"]),
            "volumeGib": 10,
            "diskGib": 20,
            "workspace": workspace or str(self.allowed / "workspace"),
            "python": sys.executable,
            "readyMinutes": 3,
            "maxUsdPerH": 0.6,
            "maxUsd": 1,
            "maxHours": 0.5,
        }
        lines = [f"  sonarstack:{key}: {json.dumps(value)}\n" for key, value in settings.items()]
        (self.folder / f"Pulumi.{STACK}.yaml").write_text("config:\n" + "".join(lines))


@contextmanager
def ground(folder: Path | None, *, keep: bool) -> Iterator[Ground]:
    """A folder for it; one of its own is removed at the end unless it is to be kept.

    Raises:
        SettingsError: the folder cannot be used, or a program is missing.
    """
    lacking = [name for name in NEEDED if find(name) is None]
    if lacking:
        packages = " ".join(sorted({NEEDED[name] for name in lacking}))
        raise SettingsError(
            f"{', '.join(lacking)} not found; simulated pods need it: apt-get install {packages}"
        )
    if folder is not None:
        folder = folder.absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingsError(f"--folder {folder} is not empty; name another one, which will be made")
        if not re.fullmatch(r"/[\w./-]+", str(folder)):
            raise SettingsError(
                f"--folder {folder} may hold letters, digits and _ . - / only; name another one"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield Ground(folder=folder)
        return
    made = Path(tempfile.mkdtemp(prefix="sonarstack-rehearsal-")).resolve()
    try:
        yield Ground(folder=made)
    finally:
        if not keep:
            shutil.rmtree(made)


def find(program: str) -> str | None:
    """Where it is; sshd is rarely on PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


@contextmanager
def as_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """What this process itself looks at, through the same modules as every verb, is the rehearsal's too."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
