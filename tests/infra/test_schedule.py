"""The timer: set up once however often, by whatever the machine has, and nothing but ours is ever touched."""

import configparser
import shlex
import shutil
import subprocess

import pytest

from infra.errors import SettingsError
from infra.schedule import MARK, Timer, cron_line, install, installed, uninstall, unit_texts
from tests.infra.timers import Timers

OTHERS = "# mine\n5 4 * * * backup # made by me\nMAILTO=me@here\n"


def timer(**more) -> Timer:
    values = {
        "command": ("/venv/bin/python", "-m", "stacks", "reap", "--scheduled"),
        "folder": "/home/me/sonar",
        "variables": {},
        "every_minutes": 10,
        "log": "/home/me/reap.log",
    }
    return Timer(**{**values, **more})


def test_cron_where_there_is_no_systemd_and_only_our_line_changes(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch)
    machine.table = OTHERS
    assert install(timer())[0] == "cron"
    assert installed() == ["cron"]
    install(timer(every_minutes=5))
    lines = machine.table.splitlines()
    assert machine.table.startswith(OTHERS)
    assert [line for line in lines if line.endswith(MARK)] == [cron_line(timer(every_minutes=5))]
    assert uninstall() == ["cron"]
    assert machine.table == OTHERS
    assert uninstall() == []
    assert installed() == []


def test_a_user_without_a_crontab_gets_one(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch)
    install(timer())
    assert machine.table == cron_line(timer()) + "\n"


def test_a_crontab_that_cannot_be_read_is_never_written_over(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch)
    machine.table = OTHERS
    (tmp_path / "broken").touch()
    with pytest.raises(
        SettingsError, match=r"crontab -l failed \(crontab: cannot lock\); nothing was changed"
    ):
        install(timer())
    assert machine.table == OTHERS
    assert "crontab -" not in machine.calls


def test_systemd_where_it_answers(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch, systemd=True)
    by, notes = install(timer())
    assert by == "systemd"
    assert "enable-linger" in notes[0]
    install(timer(every_minutes=7))
    assert "OnUnitActiveSec=7min" in machine.unit("timer").read_text()
    assert machine.calls[-1] == "systemctl --user enable --now sonarstack-reap.timer"
    assert installed() == ["systemd"]
    assert machine.table == ""
    assert uninstall() == ["systemd"]
    assert not machine.unit("timer").exists()
    assert not machine.unit("service").exists()
    assert "systemctl --user disable --now sonarstack-reap.timer" in machine.calls


def test_a_line_in_cron_goes_when_systemd_takes_over(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch, systemd=True)
    machine.table = OTHERS + cron_line(timer()) + "\n"
    install(timer())
    assert machine.table == OTHERS


def test_units_of_others_are_left_alone(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch, systemd=True)
    machine.unit("timer").parent.mkdir(parents=True)
    machine.unit("timer").write_text("[Timer]\n")
    with pytest.raises(SettingsError, match="is there and not of this project"):
        install(timer())
    assert uninstall() == []
    assert machine.unit("timer").read_text() == "[Timer]\n"


def test_a_systemd_that_refuses_is_an_error_with_its_words(tmp_path, monkeypatch) -> None:
    machine = Timers(tmp_path, monkeypatch, systemd=True)
    real = (machine.bin / "systemctl").read_text()
    (machine.bin / "systemctl").write_text(
        real.replace("[ -f", '[ "$2" = enable ] && { echo "Failed: no" >&2; exit 1; }; [ -f')
    )
    with pytest.raises(SettingsError, match=r"enable --now sonarstack-reap\.timer failed: Failed: no"):
        install(timer())


def test_neither_is_said_with_the_command_to_run_by_hand(tmp_path, monkeypatch) -> None:
    Timers(tmp_path, monkeypatch, cron=False)
    with pytest.raises(
        SettingsError, match=r"neither systemd for users nor cron.*-m stacks reap --scheduled"
    ):
        install(timer())
    assert uninstall() == []


def test_crons_line_runs_as_it_is_whatever_the_paths_hold(tmp_path) -> None:
    odd = tmp_path / 'it\'s 100% $HOME; "x" #1'
    odd.mkdir()
    echo = shutil.which("printenv")
    line = cron_line(
        timer(command=(echo, "STATE"), folder=str(odd), variables={"STATE": "a b%c'd"}, log=str(odd / "log"))
    )
    minutes, command = line.split(" * * * * ")
    assert minutes == "*/10"
    assert "%" not in command.replace("\\%", "")
    # What cron hands to the shell.
    subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], check=True)
    assert (odd / "log").read_text() == "a b%c'd\n"
    assert cron_line(timer(every_minutes=60)).startswith("0 * * * * ")


def test_the_units_say_the_same(tmp_path) -> None:
    texts = unit_texts(timer(variables={"XDG_STATE_HOME": '/a "b" 5%'}, folder="/home/me/so nar"))
    service = configparser.RawConfigParser(strict=False)
    service.read_string(texts["sonarstack-reap.service"])
    assert service["Service"]["Environment"] == '"XDG_STATE_HOME=/a \\"b\\" 5%%"'
    assert service["Service"]["WorkingDirectory"] == "/home/me/so nar"
    assert shlex.split(service["Service"]["ExecStart"]) == list(timer().command)
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here to judge the units")
    words = list(timer(command=("/bin/true", "x y"), folder="/tmp").command)
    for name, text in unit_texts(timer(command=words, folder="/tmp", log="/tmp/x.log")).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", *map(str, tmp_path.glob("sonarstack-reap.*"))],
        capture_output=True,
        text=True,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert "sonarstack-reap" not in done.stderr, done.stderr


@pytest.mark.parametrize("wrong", [{"every_minutes": 0}, {"every_minutes": 61}, {"folder": "/a\nb"}])
def test_what_no_timer_can_do_is_refused(wrong) -> None:
    with pytest.raises(SettingsError, match=r"must be 1 to 60|line break"):
        timer(**wrong)
