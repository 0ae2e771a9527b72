"""An `up` that is killed while it waits, on a cloud where the run lies in a bucket: `destroy` brings that run home."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from app.mirror import Mirror
from app.training.manifest import write_manifest
from infra.aws.account import client
from infra.aws.s3_store import S3Store
from tests.engine.stack import MARKS, Engine
from tests.infra.aws_server import BUCKET, REGION, aws, moto_address

__all__ = ["aws", "moto_address"]
pytestmark = MARKS
PATH = "runs/night/run"
PROGRAM = f"""
import pulumi
from infra.provider.resources import RunRescue, TrainingRun

place = {{"bucket": "s3://{BUCKET}", "region": "{REGION}", "owner": "stamp"}}
job = {{"kind": "group", "group": "group", "notes": "runs/night/host/group", "logGroup": "/l", "logStream": "s"}}
home = pulumi.Config("test").require("home")
rescue = RunRescue("rescue", run_host=place, run_path="{PATH}", home=home)
TrainingRun(
    "run", where={{**place, **job}}, run_host=place, run_path="{PATH}", home=home, wait=True,
    opts=pulumi.ResourceOptions(depends_on=[rescue]),
)
"""


def test_the_run_of_an_up_that_was_killed_comes_home_with_destroy(
    aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    client("s3", REGION).create_bucket(Bucket=BUCKET)
    store = S3Store(BUCKET, region=REGION)
    engine, home = Engine(tmp_path / "project", {}), tmp_path / "home"
    (engine.folder / "__main__.py").unlink()
    (engine.folder / "__main__.py").write_text(PROGRAM)
    assert engine("config", "set", "test:home", str(home), "--stack", "test").returncode == 0
    state = engine.folder / ".pulumi/stacks/sonarstack/test.json"
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--stack", "test", "--non-interactive"],
        cwd=engine.folder,
        env={**os.environ, "PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as up:
        until = time.monotonic() + 120
        while "index:TrainingRun" not in state.read_text():
            assert up.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        os.killpg(up.pid, signal.SIGKILL)
    latest = json.loads(state.read_text())["checkpoint"]["latest"]
    assert not [one for one in latest["resources"] if one["type"].endswith(":TrainingRun")]
    assert engine("cancel", "--yes", "--stack", "test").returncode == 0
    run = tmp_path / "made"
    run.mkdir()
    (run / "run.json").write_text("{}")
    (run / "last.pt").write_bytes(b"weights" * 1000)
    write_manifest(run, complete=False)
    Mirror(run, str(tmp_path / "far")).push()
    for path in (tmp_path / "far").rglob("*"):
        if path.is_file():
            store.send(f"{PATH}/{path.relative_to(tmp_path / 'far').as_posix()}", path)
    done = engine.destroy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (home / "last.pt").read_bytes() == b"weights" * 1000
