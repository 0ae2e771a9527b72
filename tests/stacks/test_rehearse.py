"""The rehearsal as a user has it, and its parts."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.errors import EngineError, SettingsError
from infra.runpod.client import RunpodClient
from infra.runpod.simulator.run import running
from stacks.money import money_of
from stacks.rehearsal import ways
from stacks.rehearsal.faults import TROUBLES, arm, trouble_of
from stacks.rehearsal.ground import NEEDED, STACK, Ground, as_environment, find, ground
from stacks.rehearsal.play import Play
from stacks.rehearsal.promises import Promises
from stacks.rehearsal.service import Told, telling
from stacks.settings import read_stack_file

PROJECT = Path(__file__).resolve().parents[2]
LACKING = [name for name in NEEDED if find(name) is None]
REAL = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(LACKING), reason=f"{', '.join(LACKING)} not found; a simulated pod needs it"),
]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "stacks", "rehearse", *words]


def variables(tmp_path: Path) -> dict[str, str]:
    """A user with a journal, an account and an engine of their own, none of which may be touched."""
    for name in ("state", "tmp"):
        (tmp_path / name).mkdir()
    return {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TMPDIR": str(tmp_path / "tmp"),
        "RUNPOD_API_KEY": "rpa_THEUSERS",
        "RUNPOD_REST_V2_API_URL": "http://127.0.0.1:9/v2",
        "PULUMI_BACKEND_URL": "file:///nowhere",
    }


def left_of(folder: Path) -> list[str]:
    """Processes that know of a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if str(folder) in words or str(folder) in str(process.cwd()):
                found.append(words)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("protocol", marks=REAL),
        pytest.param(
            "pulumi",
            marks=[
                *REAL,
                pytest.mark.engine,
                pytest.mark.skipif(
                    shutil.which("pulumi") is None, reason="the pulumi program is not on PATH (make engine)"
                ),
            ],
        ),
    ],
)
def test_all_of_it_and_nothing_is_left(engine, tmp_path) -> None:
    done = subprocess.run(
        command("runpod", "--engine", engine, "--pods", "process", "--json"),
        cwd=PROJECT,
        env=variables(tmp_path),
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told = json.loads(done.stdout)
    assert told["simulated"] is True
    assert told["kept"] is True
    assert len(told["promises"]) == 12
    assert told["pods"] == "process"
    assert ("pulumi v" in told["engine"]) == (engine == "pulumi")
    assert told["receipt"]["clean"] is True
    assert 0 < told["receipt"]["metered_usd"] < told["receipt"]["at_most_usd"]
    assert list((tmp_path / "state").iterdir()) == []
    # What is left is ours alone: ssh's folder of sockets, empty once its connections are gone.
    assert not list((tmp_path / "tmp").glob("sonarstack-rehearsal-*"))
    assert left_of(tmp_path / "tmp" / "sonarstack-rehearsal-") == []
    service = [line for line in done.stderr.splitlines() if "/v2/pods" in line]
    assert service
    assert all(line.startswith("SIMULATED ") for line in service)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [pytest.param("training-pod", marks=REAL)])
def test_whoever_ends_it_early_leaves_nothing_behind(number, moment, tmp_path) -> None:
    process = subprocess.Popen(
        command("--engine", "protocol", "--pods", "process"),
        cwd=PROJECT,
        env=variables(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if f"{moment} (Pod): made" in line:
            break
    time.sleep(1)
    assert left_of(tmp_path / "tmp")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert "Traceback" not in err
    assert not list((tmp_path / "tmp").glob("sonarstack-rehearsal-*"))
    assert [words for words in left_of(tmp_path / "tmp") if "sshd" in words or "stacks" in words] == []


def test_what_cannot_be_rehearsed_is_refused_before_anything_is_started(tmp_path) -> None:
    for words, reason in (
        (["aws"], "aws cannot be rehearsed"),
        (["--fault", "meteor"], "--fault meteor is unknown; choose one of no_capacity"),
        (["--folder", str(PROJECT)], "is not empty"),
    ):
        done = subprocess.run(
            command(*words), cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2
        assert reason in done.stderr
        assert done.stdout == ""


def test_the_settings_are_valid_and_their_worst_case_is_small(tmp_path) -> None:
    place = Ground(folder=tmp_path)
    place.write_settings()
    settings = read_stack_file(tmp_path, STACK)
    assert settings.target == "runpod"
    assert money_of(settings).capped_lease_usd <= 1
    assert Path(str(settings.home)).is_relative_to(tmp_path)
    assert settings.workspace.startswith(str(place.allowed))


def test_nothing_of_the_users_account_engine_or_journal_is_taken_along(tmp_path, monkeypatch) -> None:
    for name in ("RUNPOD_API_KEY", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "SONARSTACK_DISCARD_RESULTS"):
        monkeypatch.setenv(name, "the user's")
    made = Ground(folder=tmp_path).variables({"RUNPOD_API_KEY": "simulated"})
    assert "the user's" not in made.values()
    assert made["RUNPOD_API_KEY"] == "simulated"
    assert made["XDG_STATE_HOME"].startswith(str(tmp_path))
    assert made["PULUMI_HOME"].startswith(str(tmp_path))
    with as_environment(made):
        assert os.environ["RUNPOD_API_KEY"] == "simulated"
    assert os.environ["RUNPOD_API_KEY"] == "the user's"


def test_a_missing_program_is_one_line(monkeypatch) -> None:
    monkeypatch.setattr("stacks.rehearsal.ground.find", lambda name: None if name == "sshd" else name)
    with (
        pytest.raises(SettingsError, match=r"sshd not found.*apt-get install openssh-server"),
        ground(None, keep=False),
    ):
        pass


@pytest.mark.parametrize("keep", [False, True])
def test_its_own_folder_goes_also_after_an_error(keep, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("stacks.rehearsal.ground.find", lambda name: name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), ground(None, keep=keep):
        raise KeyboardInterrupt
    assert bool(list(tmp_path.iterdir())) == keep


@pytest.mark.parametrize("name", ["a folder", "a+b"])
def test_a_folder_that_no_pod_could_have_is_refused(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("stacks.rehearsal.ground.find", lambda program: program)
    with pytest.raises(SettingsError, match="letters, digits"), ground(tmp_path / name, keep=False):
        pass


def test_the_engine_is_taken_where_it_is_found(tmp_path, monkeypatch) -> None:
    place = Ground(folder=tmp_path)
    assert "without the engine" in ways.choose_way("protocol", place, {}).name
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(ways, "PROJECT", tmp_path)
    assert "without the engine" in ways.choose_way("auto", place, {}).name
    with pytest.raises(EngineError, match="make engine"):
        ways.choose_way("pulumi", place, {})


def test_a_program_that_is_shown_is_ended_first(tmp_path) -> None:
    code = (
        "import signal, sys, time\n"
        "def leave(*_):\n    open('left', 'w').close()\n    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, leave)\n"
        "print('here', flush=True)\ntime.sleep(60)\n"
    )

    def say(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ways.run_shown([sys.executable, "-c", code], tmp_path, {}, say)
    assert (tmp_path / "left").exists()


def test_a_promise_that_was_broken_or_never_made_is_no_success() -> None:
    said: list[str] = []
    promises = Promises(said.append)
    assert not promises.all_kept
    promises.hold("one", True, "yes")
    assert promises.all_kept
    promises.hold("two", False, "no")
    promises.hold("three", True, "yes")
    assert not promises.all_kept
    assert said[1] == "BROKEN  two: no"


def test_what_the_service_did_is_told_and_counted(tmp_path) -> None:
    said: list[str] = []
    with running(tmp_path) as simulator, telling(simulator, said.append) as told:
        with RunpodClient(simulator.key, simulator.address) as client:
            client.pods()
            volume = client.create_volume(name="v", size_gb=10, data_center="EU-RO-1")
            client.delete_volume(volume.id)
        assert told.counted("POST", "/v2/network-volumes", by="account", status=201) == 1
        assert told.counted("DELETE", "/v2/network-volumes/") == 1
        assert told.counted("DELETE", "/v2/network-volumes") == 0
        assert told.by_method() == {"DELETE": 1, "GET": 1, "POST": 1}
    assert said == [
        "SIMULATED Runpod: POST /v2/network-volumes by account, answered 201",
        f"SIMULATED Runpod: DELETE /v2/network-volumes/{volume.id} by account, answered 204",
    ]


class Refuses:
    """A way whose up fails, and that can end what it made."""

    name = "a stand-in"

    def __init__(self, simulator) -> None:
        self.simulator, self.verbs = simulator, []

    def run(self, verb, say) -> int:
        self.verbs.append(verb)
        if verb == "up":
            with RunpodClient(self.simulator.key, self.simulator.address) as client:
                client.create_volume(name="forgotten", size_gb=10, data_center="EU-RO-1")
        return 1 if verb == "up" else 0

    def outputs(self) -> dict:
        raise AssertionError("nothing came up")


def test_an_up_that_fails_is_ended_and_what_it_left_is_told(tmp_path, monkeypatch) -> None:
    place = Ground(folder=tmp_path)
    (tmp_path / "tiles").mkdir()
    place.write_settings()
    said: list[str] = []
    with running(place.account, allowed=place.allowed) as simulator:
        way = Refuses(simulator)
        with as_environment(place.variables(simulator.variables())):
            told = Told(simulator, said.append)
            play = Play(ground=place, simulator=simulator, way=way, told=told, fault=None, say=said.append)
            play.perform()
    assert way.verbs == ["up", "destroy"]
    broken = {one.text for one in play.promises.made if not one.kept}
    assert broken == {"up succeeds", "the run is home, whole and complete", "nothing is left that bills"}
    assert play.receipt["metered_usd"] > 0


@pytest.mark.parametrize("name", [name for name in TROUBLES if name != "pod_dies"])
def test_every_trouble_is_one_that_the_service_knows(name, tmp_path) -> None:
    with running(tmp_path) as simulator:
        arm(simulator, name)
        assert len(simulator.faults.armed()) == 1
    assert trouble_of(name).text
