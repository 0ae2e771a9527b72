"""AWS's whole stack in the real engine, with stand-ins that make nothing: what a failed `up` leaves."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.stack import MARKS, PROJECT, Engine

pytestmark = MARKS
PROGRAM = """
from infra.aws.preflight import assumed_account
from stacks.aws import deploy
from stacks.settings import read_pulumi_config

settings = read_pulumi_config()
deploy(settings, "night", assumed_account(settings.region, (), settings.types), quiet=True)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    settings = {
        "target": "aws", "dataUrl": str(PROJECT / "app/config/environments"), "maxUsdPerH": 0.8,
        "image": "docker.io/me/mine@sha256:0",
    }  # fmt: skip
    made = Engine(tmp_path, settings)
    for name, text in (
        ("__main__.py", PROGRAM),
        (
            "Pulumi.yaml",
            (PROJECT / "Pulumi.yaml")
            .read_text()
            .replace("path: infra/provider", "path: stand-in\n    - name: aws\n      path: stand-in"),
        ),
    ):
        (tmp_path / name).unlink()
        (tmp_path / name).write_text(text)
    (tmp_path / "stand-in").mkdir()
    shutil.copyfile(Path(__file__).with_name("stand_in.py"), tmp_path / "stand-in/__main__.py")
    (tmp_path / "stand-in/PulumiPlugin.yaml").write_text(
        "runtime: {name: python, options: {virtualenv: ../.venv}}\n"
    )
    return made


def there(engine: Engine, kind: str) -> Iterator[dict[str, Any]]:
    """Inputs of what the state holds of a type."""
    state = json.loads(engine("stack", "export", "--stack", "test").stdout)["deployment"]
    yield from (one["inputs"] for one in state["resources"] if one["type"].endswith(f":{kind}"))


def ended_groups(engine: Engine) -> list[str]:
    """By the timer, one for each of its schedules."""
    return sorted(
        json.loads(one["target"]["input"])["AutoScalingGroupName"] for one in there(engine, "Schedule")
    )


def test_an_up_that_fails_leaves_the_old_machine_its_timer_and_one_that_works_takes_it_last(
    engine: Engine,
) -> None:
    done = engine.up()
    assert done.returncode == 0, done.stdout + done.stderr
    (old,) = there(engine, "Group")
    assert ended_groups(engine) == [old["name"]] * 2
    assert engine("config", "set", "sonarstack:rerun", "2", "--stack", "test").returncode == 0
    # The machine's own text is the first thing that waits for the new timer.
    failed = engine.up(FAILS_AT="training-host-template")
    assert failed.returncode != 0
    assert "planted" in failed.stdout
    assert [one["name"] for one in there(engine, "Group")] == [old["name"]]
    assert ended_groups(engine).count(old["name"]) == 2
    # Its lease is open still: it bills, and its dollars are counted.
    assert old["name"] in [one["name"] for one in there(engine, "Lease")]
    done = engine.up()
    assert done.returncode == 0, done.stdout + done.stderr
    (new,) = there(engine, "Group")
    assert new["name"] != old["name"]
    assert ended_groups(engine) == [new["name"]] * 2
    assert [one["name"] for one in there(engine, "Lease")] == [new["name"]]
