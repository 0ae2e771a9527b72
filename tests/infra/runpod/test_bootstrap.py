"""The start command of a stock image: it is run here as a shell would, and the names are those the program reads."""

import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.errors import SettingsError
from infra.runpod import bootstrap
from infra.runpod.bootstrap import machine_variables, start_command

MACHINE = Path(__file__).resolve().parents[3] / "images" / "cloud" / "machine.py"
OF_THE_SIMULATOR = {
    "SONARSTACK_MACHINE_SSH_PORT",
    "SONARSTACK_MACHINE_SSH_ADDRESS",
    "SONARSTACK_MACHINE_PRIVATE",
}
"""What a real pod leaves at its default: its container is its own."""


def run(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "python3"
    return subprocess.run(
        [sys.executable, *words[1:]],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_words_run_the_very_same_program() -> None:
    text = (
        'import sys\nif __name__ == "__main__":\n    print("it\'s \\"here\\" ü", sys.argv)\n    sys.exit(7)\n'
    )
    done = run(start_command(text), PYTHONUTF8="1")
    assert (done.stdout, done.returncode) == ("it's \"here\" ü ['-c']\n", 7)


def test_a_shell_splits_it_as_shlex_does() -> None:
    command = start_command()
    done = subprocess.run(["sh", "-c", f'for word in {command}; do printf "%s\\n" "$word"; done'],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.splitlines() == shlex.split(command)
    assert "\n" not in command


def test_it_is_the_machine_and_ends_when_its_lease_is_over(tmp_path) -> None:
    variables = machine_variables(
        lease_until=datetime.fromtimestamp(time.time() - 5, UTC), job=f"{tmp_path}/job", runs=str(tmp_path),
        public_keys=(), gpus=0,
    )  # fmt: skip
    done = run(start_command(), **variables, SONARSTACK_MACHINE_PRIVATE=str(tmp_path / "private"))
    assert done.returncode == 0, done.stderr
    assert "sonarstack machine: lease until 2" in done.stdout
    assert done.stdout.rstrip().endswith("sonarstack machine: ends: its lease is over")
    assert not done.stderr


def test_it_is_short_enough_for_one_field_of_a_request() -> None:
    # The contract states no limit; Linux takes 128 KiB as one argument. Grown past this, it is time to look why.
    assert len(start_command()) < 16 * 1024


def test_without_the_program_it_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(bootstrap, "PROGRAM", tmp_path / "machine.py")
    with pytest.raises(SettingsError, match="run from a checkout, or set an image of your own"):
        start_command()


def test_every_variable_is_one_that_the_program_reads_and_none_is_forgotten() -> None:
    every = machine_variables(
        lease_until=datetime.now(UTC), job="j", runs="r", public_keys=("k",), gpus=1, start_minutes=1,
        linger_minutes=1, hard_stop_s=1, expose=True, workspace="w", python="p",
    )  # fmt: skip
    read = set(re.findall(r'get\("(SONARSTACK_MACHINE_[A-Z_]+)"\)', MACHINE.read_text()))
    assert set(every) | OF_THE_SIMULATOR == read
    assert not set(every) & OF_THE_SIMULATOR


def test_what_is_not_given_is_left_to_the_program() -> None:
    lease = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    keys = ("ssh-ed25519 A a\n", "ssh-ed25519 B b")
    told = machine_variables(lease_until=lease, job="/w/job", runs="/w", public_keys=keys, gpus=0)
    assert told == {
        "SONARSTACK_MACHINE_LEASE_UNTIL": "1795608000",
        "SONARSTACK_MACHINE_JOB": "/w/job",
        "SONARSTACK_MACHINE_RUNS": "/w",
        "SONARSTACK_MACHINE_KEYS": "ssh-ed25519 A a\nssh-ed25519 B b",
        "SONARSTACK_MACHINE_GPUS": "0",
    }


def test_a_lease_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        machine_variables(
            lease_until=datetime(2026, 11, 25),
            job="j", runs="r", public_keys=(), gpus=0,
        )  # fmt: skip
