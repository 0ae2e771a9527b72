"""The Runpod target through the real engine, against the simulated service: the whole way, and what goes wrong."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.runpod.simulator.run import running
from infra.runs.manifest import differences
from tests.crash.ground import QUICK, bare_pods
from tests.engine.stack import MARKS, PROJECT, Engine
from tests.sshd import missing_programs

pytestmark = MARKS
KEY = "rpa_planted_key_of_the_account"
NOTIFY = "json://127.0.0.1:9/planted-token"
JOB = PROJECT / "tests" / "crash" / "job.py"


@pytest.fixture
def service(tmp_path):
    reason = missing_programs()
    if reason:
        pytest.skip(reason)
    with (
        bare_pods(),
        running(tmp_path / "account", key=KEY, allowed=tmp_path / "pods", provision_s=0.1, start_s=0.1) as it,
    ):
        yield it


@pytest.fixture
def engine(tmp_path, service, monkeypatch):
    for name, value in {**service.variables(), "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    (tiles / "tile.txt").write_text("one tile")
    # Stands in for the interpreter that trains: the same files, signals and exit codes, in seconds.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {JOB} {tmp_path}/ledger "$@"\n')
    python.chmod(0o755)
    made = Engine(
        tmp_path / "project",
        {
            "target": "runpod",
            "dataUrl": str(tiles),
            "home": str(tmp_path / "home"),
            "workspace": str(tmp_path / "pods" / "workspace"),
            "python": str(python),
            "gpus": ["RTX 4090"],
            "maxUsdPerH": "0.9",
            "maxHours": "1",
            "volumeGib": "10",
            # A busy machine needs a while to bring the run home from the pod itself.
            "lingerMinutes": "2",
            "trainArguments": ["--epochs", "100000"],
        },
        plugin=QUICK,
    )
    yield made
    made.end()


def alive(service) -> list[str]:
    return [one["name"] for one in service.meter()["pods"] if one["usd_per_h"]]


def posts(service) -> int:
    return sum(seen.method == "POST" and seen.path == "/v2/pods" for seen in service.requests())


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def step(home: Path) -> int:
    return json.loads((home / "checkpoints" / "latest.json").read_text())["step"]


def test_from_a_preview_to_a_run_at_home_and_nothing_left(engine, service, tmp_path) -> None:
    shown = ok(engine("preview", "--stack", "test", "--json"))
    kinds = [one["newState"]["type"] for one in json.loads(shown)["steps"]]
    assert "sonarstack:index:Pod" in kinds
    assert not service.requests(), "a preview rents nothing, and asks nothing"

    ok(engine("config", "set", "--secret", "sonarstack:notifyUrl", NOTIFY))
    up = ok(engine.up())
    assert "worst case: $0.91 an hour" in up
    told = engine.outputs()
    assert told["state"] == "running"
    assert told["simulated"] is True
    assert told["priceUsdPerH"] <= 0.9
    rented = posts(service)

    # A run that goes on is looked at again; nothing else is touched.
    again = ok(engine.up())
    assert "8 unchanged" in again
    assert posts(service) == rented == 1

    state = ok(engine("stack", "export", "--stack", "test"))
    files = "".join(
        p.read_text(errors="replace") for p in (engine.folder / ".pulumi").rglob("*") if p.is_file()
    )
    private = (tmp_path / "state" / "sonarstack" / "keys").glob("sonarstack-*")
    planted = [KEY, NOTIFY, "planted-token", *(p.read_text() for p in private if p.suffix != ".pub")]
    for secret in planted:
        assert secret not in state
        assert secret not in files
        assert secret not in up

    ok(engine("destroy", "--yes", "--stack", "test"))  # with its preview
    assert differences(tmp_path / "home") == []
    assert step(tmp_path / "home") > 0
    meter = service.meter()
    assert meter["running_usd_per_h"] == 0
    assert meter["volumes_usd_per_h"] == 0


def test_another_gpu_list_takes_the_run_to_another_pod(engine, service, tmp_path) -> None:
    ok(engine.up())
    first = engine.outputs()["pod"]
    ok(engine("config", "set", "sonarstack:gpus", '["RTX A5000"]'))
    ok(engine.up())
    second = engine.outputs()["pod"]
    assert second["name"] != first["name"]
    assert second["gpu"] == "NVIDIA RTX A5000"
    assert second["dataCenter"] == first["dataCenter"], "its volume holds the run"
    assert alive(service) == [second["name"]]
    moved_at = step(tmp_path / "home")
    assert moved_at > 0, "stopped with a checkpoint and brought home before the old pod went"
    time.sleep(2)
    ok(engine.destroy())
    assert step(tmp_path / "home") > moved_at
    began = [json.loads(line).get("begins_at") for line in (tmp_path / "ledger").read_text().splitlines()]
    assert [at for at in began if at is not None] == [0, moved_at]


def test_a_pod_that_dies_is_replaced_by_the_next_up_and_the_run_goes_on(engine, service, tmp_path) -> None:
    ok(engine.up())
    told = engine.outputs()["pod"]
    time.sleep(2)
    service.kill_pod(told["id"])
    ok(engine.refresh())
    ok(engine.up())
    again = engine.outputs()
    assert again["pod"]["name"] == told["name"]
    assert again["pod"]["id"] != told["id"]
    assert again["state"] == "running"
    assert alive(service) == [told["name"]]
    ok(engine.destroy())
    assert differences(tmp_path / "home") == []
    began = [json.loads(line).get("begins_at") for line in (tmp_path / "ledger").read_text().splitlines()]
    first, second = [at for at in began if at is not None]
    assert first == 0
    assert second > 0


def test_the_ordinary_night(engine, service, tmp_path) -> None:
    """Train, end by itself, refresh, up, destroy: nothing is rented twice and the run is at home."""
    ok(engine("config", "set", "--path", "sonarstack:trainArguments[1]", "400"))
    ok(engine("config", "set", "sonarstack:lingerMinutes", "0.1"))
    ok(engine.up())
    deadline = time.monotonic() + 200
    while alive(service):
        assert time.monotonic() < deadline, "the pod has not ended itself"
        time.sleep(1)
    ok(engine.refresh())
    ok(engine.up())
    told = engine.outputs()
    assert (told["state"], told["outcome"]) == ("ended", "done")
    assert not alive(service)
    ok(engine.destroy())
    assert differences(tmp_path / "home") == []
    assert json.loads((tmp_path / "home" / "manifest.json").read_text())["complete"] is True
    gpus = [s for s in service.requests() if s.method == "POST" and s.path == "/v2/pods"]
    assert len(gpus) == 3, "one GPU pod, and two short looks at the volume: how it ended, and the run"
    assert service.meter()["running_usd_per_h"] == 0


def test_an_orphan_is_imported_and_taken_up(engine, service, tmp_path) -> None:
    ok(engine.up())
    pod = engine.outputs()["pod"]
    shutil.rmtree(engine.folder / ".pulumi")  # the state is lost, the pod is not
    assert engine("stack", "select", "--create", "test").returncode == 0
    kind = "sonarstack:index:Pod"
    ok(
        engine(
            "import",
            kind,
            "orphan",
            pod["id"],
            "--yes",
            "--stack",
            "test",
            "--generate-code=false",
            "--protect=false",
        )
    )
    state = json.loads(ok(engine("stack", "export", "--stack", "test")))
    found = next(r for r in state["deployment"]["resources"] if r["type"] == kind)
    assert found["id"] == pod["name"]
    assert found["inputs"]["gpus"] == ["RTX 4090"]
    refused = engine.destroy()
    assert refused.returncode != 0
    assert "was never brought home" in refused.stdout, "the run on it is no state's: it is not lost silently"
    ok(engine("state", "delete", found["urn"], "--yes", "--stack", "test"))
    ok(engine.up())
    assert engine.outputs()["pod"]["id"] == pod["id"], "taken up, not rented a second time"
    assert posts(service) == 1
    ok(engine.destroy())
    assert differences(tmp_path / "home") == []


BAD: tuple[tuple[dict[str, object], dict[str, str], tuple[str, ...]], ...] = (
    ({}, {"RUNPOD_API_KEY": ""}, ("Runpod needs RUNPOD_API_KEY",)),
    ({}, {"RUNPOD_API_KEY": "rpa_wrong"}, ("set RUNPOD_API_KEY to a key of the console",)),
    ({"gpus": ["RTX 9999"]}, {}, ("RTX 9999",)),
    ({"dataCenters": ["XX-RO-9"]}, {}, ("XX-RO-9",)),
    ({"maxUsdPerH": "0.01"}, {}, ("maxUsdPerH",)),
    ({"dataUrl": "/nowhere/tiles"}, {}, ("is no folder here",)),
    ({"maxUsd": "0.5"}, {}, ("above sonarstack:maxUsd",)),
    ({"maxHours": "9000", "image": "me/sonarstack"}, {}, ("2 mistakes", "maxHours='9000'", "has no tag")),
)


def test_bad_input_is_told_in_one_line_before_anything_is_rented(engine, service) -> None:
    settings = engine.folder / "Pulumi.test.yaml"
    good = settings.read_text()
    for changed, variables, says in BAD:
        lines = [one for one in good.splitlines() if one.strip().split(":")[1] not in changed]
        more = [f"  sonarstack:{key}: {json.dumps(value)}" for key, value in changed.items()]
        settings.write_text("\n".join([lines[0], *more, *lines[1:]]) + "\n")
        up = engine.up(**variables)
        told = up.stdout + up.stderr
        assert up.returncode != 0, changed
        assert all(one in told for one in says), told
        assert "Traceback" not in told, told
        assert posts(service) == 0
        assert not service.meter()["volumes_usd_per_h"]
    settings.write_text(good)
