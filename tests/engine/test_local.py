"""The local target through the real engine, as a process: preview, up, up again, another job, a failure, destroy."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.runs.manifest import differences

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("pulumi") is None, reason="the pulumi program is not on PATH (make engine)"
    ),
]


class Engine:
    """A stack of its own in a folder of its own, with the project's code."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        for name in ("infra", "stacks", "images", "app", "__main__.py", "Pulumi.yaml"):
            (folder / name).symlink_to(PROJECT / name)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        (folder / "Pulumi.test.yaml").write_text(
            "config:\n  sonarstack:target: local\n  sonarstack:mode: process\n  sonarstack:recipe: smoke\n"
            f"  sonarstack:dataUrl: {data}\n  sonarstack:home: {folder / 'run'}\n"
            '  sonarstack:trainArguments: ["--epochs", "1", "--val-fraction", "0.3"]\n'
        )
        assert self("stack", "select", "--create", "test").returncode == 0

    def __call__(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
        return subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=self.folder,
            env={**kept, "PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true", **variables},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def up(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self("up", "--yes", "--skip-preview", "--stack", "test", *words)

    def outputs(self) -> dict:
        return json.loads(self("stack", "output", "--json", "--stack", "test").stdout)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiles"
    subprocess.run(
        [sys.executable, "-m", "app", "simulate", "--tiles", "40", "--out", str(folder), "--size-px", "128"],
        check=True,
        capture_output=True,
        cwd=PROJECT,
    )
    return folder


@pytest.fixture
def engine(tmp_path, tiles):
    made = Engine(tmp_path, tiles)
    yield made
    made("destroy", "--yes", "--stack", "test", SONARSTACK_DISCARD_RESULTS="1")


def test_a_training_from_preview_to_destroy(engine) -> None:
    preview = engine("preview", "--stack", "test")
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "worst case: own machine, no rent" in preview.stdout
    assert not (engine.folder / "run").exists()

    up = engine.up("--config", "sonarstack:wait=true")
    assert up.returncode == 0, up.stdout + up.stderr
    told = engine.outputs()
    assert (told["state"], told["outcome"]) == ("ended", "done")
    assert differences(engine.folder / "run") == []

    again = engine.up("--expect-no-changes")
    assert again.returncode == 0, again.stdout
    assert engine("refresh", "--yes", "--stack", "test").returncode == 0

    other = engine.up("--config", "sonarstack:rerun=b")
    assert other.returncode == 0, other.stdout + other.stderr
    assert engine.outputs()["home"] == str(engine.folder / "run-b")

    end = engine("destroy", "--yes", "--stack", "test")
    assert end.returncode == 0, end.stdout + end.stderr
    assert differences(engine.folder / "run-b") == []
    assert differences(engine.folder / "run") == []
    assert not (engine.folder / "run-b.job").exists()


def test_a_job_that_fails_fails_the_up_and_is_mended_by_a_setting(engine) -> None:
    bad = engine.up(
        "--config", 'sonarstack:trainArguments=["--epochs","0"]', "--config", "sonarstack:wait=true"
    )
    assert bad.returncode != 0
    assert "the job failed" in bad.stdout
    # The engine interrupts the program then, and its language host may print where; nothing of ours may be in it.
    for folder in (PROJECT, engine.folder):
        assert f'File "{folder}' not in bad.stdout
    same = engine.up()
    assert same.returncode != 0
    good = engine.up("--config", 'sonarstack:trainArguments=["--epochs","1","--val-fraction","0.3"]')
    assert good.returncode == 0, good.stdout + good.stderr


def test_wrong_settings_are_told_at_preview_without_a_traceback(engine) -> None:
    done = engine(
        "preview", "--stack", "test", "--config", "sonarstack:maxHours=-1", "--config", "sonarstack:gpu=x"
    )
    assert done.returncode != 0
    assert "2 mistakes" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
