"""The command line, as a user has it."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.errors import EngineError, SettingsError
from stacks import engine as program

PROJECT = Path(__file__).resolve().parents[2]


def stacks(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stacks", *words],
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("target", ["local", "runpod", "aws", "azure"])
def test_plan_needs_no_engine_no_account_and_no_docker(target, tmp_path) -> None:
    done = stacks("plan", target, PATH="/nowhere", DOCKER_HOST=f"unix://{tmp_path}/none", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"target {target}" in done.stdout
    assert "worst case" in done.stdout


@pytest.mark.parametrize("target", ["local", "runpod", "aws", "azure"])
def test_plan_shows_the_asked_data_where_it_is_missing(target, tmp_path) -> None:
    asked = tmp_path / "tiles"
    told = json.loads(stacks("plan", target, "--set", f"dataUrl={asked}", "--json").stdout)
    assert len([one for one in told["resources"] if f"{asked} (missing)" in str(one)]) == 1
    assert any("is no folder here" in warning for warning in told["warnings"])
    assert "app/config/environments" not in str(told["resources"])


def test_plan_as_json_tells_resources_and_money() -> None:
    told = json.loads(
        stacks("plan", "local", "--set", "mode=process", "--set", "priceUsdPerH=0.1", "--json").stdout
    )
    assert {r["type"] for r in told["resources"]} == {
        "sonarstack:index:LocalProcess",
        "sonarstack:index:TrainingRun",
    }
    assert told["money"]["lease_usd"] == pytest.approx(0.2)


def test_plan_tells_all_mistakes_and_ends_with_2() -> None:
    done = stacks("plan", "local", "--set", "maxHours=-1", "--set", "gpu=maybe")
    assert done.returncode == 2
    assert "2 mistakes" in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_refuses_a_lease_above_its_own_dollars() -> None:
    done = stacks("plan", "runpod", "--set", "maxHours=100")
    assert done.returncode == 2
    assert "above sonarstack:maxUsd=6" in done.stderr


@pytest.mark.parametrize("verb", ["up", "down", "watch", "logs", "pull"])
def test_without_the_engine_one_line_says_what_to_do(verb, tmp_path) -> None:
    done = stacks(verb, "local", PATH="/nowhere", HOME=str(tmp_path))
    if (PROJECT / program.OWN_ENGINE).exists():
        pytest.skip("the project has an engine of its own")
    assert done.returncode == 1
    assert done.stderr.strip() == f"error: {program.MISSING}"


def test_compare_draws_and_recommends(tmp_path) -> None:
    rates = {"convolution_tflops": 0.3, "memory_gb_per_s": 20.0}
    device = {"device": "cpu", "name": "Xeon", "train_images_per_s": 60.0, "rates": rates}
    (tmp_path / "rates.json").write_text(json.dumps({"devices": [device]}))
    words = ("compare", "--images", "1000", "--epochs", "50", "--measured", str(tmp_path / "rates.json"))
    done = stacks(*words, "--chart", str(tmp_path / "c.svg"))
    assert done.returncode == 0, done.stderr
    assert "take: this machine" in done.stdout
    chart = (tmp_path / "c.svg").read_text()
    assert chart.startswith("<svg")
    told = json.loads(stacks(*words, "--json").stdout)
    assert told["recommended"]["where"] == "this machine"
    for machine in ("aws g4dn.xlarge on_demand, T4", "azure Standard_NC4as_T4_v3 on_demand, T4"):
        assert f">{machine}</text>" in chart
    longest = max((f"{row['where']}, {row['device']}" for row in told["rows"]), key=len)
    assert f">{longest}</text>" in chart
    azure = [row for row in told["rows"] if row["where"].startswith("azure ")]
    assert all(row["usd"] and row["price_from"] for row in azure)
    assert len(azure) > 5
    done = stacks(*words, "--usd-per-kwh", "0", "--chart", str(tmp_path / "free.svg"))
    assert done.returncode == 0, done.stderr
    assert "from $0 on: this machine (Xeon)" in (tmp_path / "free.svg").read_text()
    (tmp_path / "rates.json").write_text("{}")
    assert "is not what `python -m app benchmark --json-file` writes" in stacks(*words).stderr
    (tmp_path / "rates.json").unlink()
    assert "rates.json cannot be read (No such file or directory); check the path" in stacks(*words).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "--images", "10", "--epochs", "1", "--chart", "tests"),
        ("plan", "local", "--set", f"dataUrl={'x' * 300}"),
    ],
)
def test_what_the_system_refuses_is_one_line(words) -> None:
    done = stacks(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("; check the path and the rights\n")
    assert done.stderr.count("\n") == 1


def test_prices_are_listed_with_their_sources() -> None:
    told = json.loads(stacks("prices", "--gpu", "a100", "--json").stdout)
    assert told["prices"]
    assert all(p["source"] for p in told["prices"])


def test_a_passphrase_is_made_once_for_its_users_eyes_only(tmp_path) -> None:
    path = program.passphrase_file(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_text()
    assert len(first.strip()) > 30
    assert program.passphrase_file(tmp_path).read_text() == first


@pytest.fixture
def pulumi(tmp_path) -> dict[str, str]:
    """A stand-in that is only ever looked for."""
    place = tmp_path / "bin" / "pulumi"
    place.parent.mkdir()
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return {"PATH": str(place.parent), "HOME": str(tmp_path)}


def test_ones_own_passphrase_is_honoured_and_an_empty_one_refused_where_it_matters(tmp_path, pulumi) -> None:
    made = program.engine_variables(tmp_path, "aws", {**pulumi, "PULUMI_CONFIG_PASSPHRASE": "mine"})
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in made
    assert program.engine_variables(tmp_path, "local", {**pulumi, "PULUMI_CONFIG_PASSPHRASE": ""})
    with pytest.raises(SettingsError, match="the passphrase is empty, and target aws keeps secrets"):
        program.engine_variables(tmp_path, "aws", {**pulumi, "PULUMI_CONFIG_PASSPHRASE": ""})
    (tmp_path / "empty").touch()
    with pytest.raises(SettingsError, match="passphrase is empty"):
        program.engine_variables(
            tmp_path, "runpod", {**pulumi, "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "empty")}
        )
    with pytest.raises(SettingsError, match="cannot be read"):
        program.engine_variables(tmp_path, "runpod", {**pulumi, "PULUMI_CONFIG_PASSPHRASE_FILE": "/none"})


def test_the_engine_is_fetched_where_it_is_missing(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))

    def install(root: str) -> None:
        (Path(root) / "bin").mkdir(parents=True)
        (Path(root) / "bin" / "pulumi").touch(mode=0o755)

    assert program.install_engine(tmp_path, install) == tmp_path / ".pulumi/engine/bin/pulumi"
    assert program.install_engine(tmp_path, lambda root: 1 / 0) == tmp_path / ".pulumi/engine/bin/pulumi"


def test_an_installer_that_fails_names_the_other_way(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EngineError, match=r"installer failed \(ZeroDivisionError\); get the program from"):
        program.install_engine(tmp_path, lambda root: 1 / 0)


def test_ctrl_c_waits_for_an_engine_that_puts_things_in_order(tmp_path) -> None:
    engine = tmp_path / "bin" / "pulumi"
    engine.parent.mkdir()
    engine.write_text(
        f"#!/bin/sh\ntrap 'sleep 1; echo ordered > {tmp_path}/done; exit 3' INT\n"
        f"touch {tmp_path}/began\nwhile :; do sleep 0.1; done\n"
    )
    engine.chmod(0o755)
    code = (
        "import sys; from pathlib import Path; from stacks.engine import run_engine\n"
        f"done = run_engine(Path({str(tmp_path)!r}), ['up'], {{'PATH': {f'{engine.parent}:/usr/bin:/bin'!r}}})\n"
        "sys.exit(done.returncode)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, start_new_session=True)
    while not (tmp_path / "began").exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 3
    assert (tmp_path / "done").read_text() == "ordered\n"
