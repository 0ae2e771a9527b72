"""The local target through the real engine, as a process: preview, up, up again, another job, a failure, destroy."""

from pathlib import Path

import pytest

from infra.runs.manifest import differences
from tests.engine.stack import MARKS, PROJECT, Engine, make_tiles

pytestmark = MARKS


@pytest.fixture(scope="module")
def tiles(tmp_path_factory) -> Path:
    return make_tiles(tmp_path_factory.mktemp("data") / "tiles")


@pytest.fixture
def engine(tmp_path, tiles):
    made = Engine(
        tmp_path,
        {
            "target": "local",
            "mode": "process",
            "recipe": "smoke",
            "dataUrl": str(tiles),
            "home": str(tmp_path / "run"),
            "trainArguments": ["--epochs", "1", "--val-fraction", "0.3"],
        },
    )
    yield made
    made.end()


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
    assert engine.refresh().returncode == 0

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
