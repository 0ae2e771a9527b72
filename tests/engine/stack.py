"""A stack of its own in a folder of its own, driven by the real pulumi program."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MARKS = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("pulumi") is None, reason="the pulumi program is not on PATH (make engine)"
    ),
]


class Engine:
    """A project folder whose code is this one's; settings as `sonarstack:` keys without the prefix.

    Args:
        plugin: text of another `infra/provider/__main__.py`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], *, plugin: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        if plugin is None:
            (folder / "infra").symlink_to(PROJECT / "infra")
        else:
            _link_all_but(folder / "infra", PROJECT / "infra", "provider")
            _link_all_but(folder / "infra" / "provider", PROJECT / "infra" / "provider", "__main__.py")
            (folder / "infra" / "provider" / "__main__.py").write_text(plugin)
        for name in (
            "stacks",
            "images",
            "app",
            "__main__.py",
            "Pulumi.yaml",
            "setup.sh",
            ".dockerignore",
        ):
            (folder / name).symlink_to(PROJECT / name)
        for name in ("pyproject.toml", "requirements.txt", "requirements-cpu.txt", "README.md", "main.py"):
            (folder / name).symlink_to(PROJECT / name)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        lines = [f"  sonarstack:{name}: {json.dumps(value)}\n" for name, value in settings.items()]
        (folder / "Pulumi.test.yaml").write_text("config:\n" + "".join(lines))
        assert self("stack", "select", "--create", "test").returncode == 0

    def __call__(
        self, *words: str, timeout_s: float = 240, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
        return subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=self.folder,
            env={**kept, "PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true", **variables},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def up(self, *words: str, timeout_s: float = 240, **variables: str) -> subprocess.CompletedProcess[str]:
        return self(
            "up", "--yes", "--skip-preview", "--stack", "test", *words, timeout_s=timeout_s, **variables
        )

    def refresh(self) -> subprocess.CompletedProcess[str]:
        return self("refresh", "--yes", "--skip-preview", "--stack", "test")

    def destroy(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self("destroy", "--yes", "--skip-preview", "--stack", "test", **variables)

    def end(self, **variables: str) -> None:
        """After a test: whatever it left, without its results; nothing, where the state says that nothing is there."""
        state = self.folder / ".pulumi/stacks/sonarstack/test.json"
        if (json.loads(state.read_text())["checkpoint"].get("latest") or {}).get("resources"):
            self.destroy(SONARSTACK_DISCARD_RESULTS="1", **variables)

    def outputs(self) -> dict:
        return json.loads(self("stack", "output", "--json", "--stack", "test").stdout)


def _link_all_but(folder: Path, source: Path, name: str) -> None:
    folder.mkdir()
    for one in source.iterdir():
        if one.name not in (name, "__pycache__"):
            (folder / one.name).symlink_to(one)


def make_tiles(folder: Path) -> Path:
    """A few simulated tiles."""
    subprocess.run(
        [sys.executable, "-m", "app", "simulate", "--tiles", "40", "--out", str(folder), "--size-px", "128"],
        check=True,
        capture_output=True,
        cwd=PROJECT,
    )
    return folder
