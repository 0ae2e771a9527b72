"""The stack's own start text, followed for real from the first boot to the power-off: at its own paths, in a mount
namespace whose /etc, /opt, /run and /var/lib are empty folders, with AWS's and the system's programs as stand-ins."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.infra.vm import first_boot
from tests.stacks.aws_stack import declared

FOLDERS = ("etc", "opt", "run", "var/lib")
WORD = "PLANTED-WORD"
NOTE = 'echo "$(basename "$0") $*" >> "$NOTES/calls"\n'
PROGRAMS = {
    "shutdown": "",
    "curl": 'case "$*" in *api/token) echo t0ken ;; *) echo i-0123 ;; esac\n',
    "aws": """case "$*" in
*"s3 cp"*) for last; do :; done; cat > "$NOTES/kept-$(basename "$last")" ;;
*get-login-password*) echo passw0rd ;;
esac
""",
    "docker": """case $1 in
login) cat > /dev/null ;;
run) cp "$(echo "$*" | sed 's/.*--env-file \\([^ ]*\\) .*/\\1/')" "$NOTES/variables" ;;
logs) echo "last words" ;;
esac
""",
    # What systemd does with the unit: read its file, start its program.
    "systemctl": """case "$*" in
"enable --now "*)
    [ "${REFUSES:-}" ] && exit 1
    [ "${RUNS:-}" ] || exit 0
    exec $(sed -n 's/^ExecStart=//p' "/etc/systemd/system/$3") ;;
esac
""",
}


class Machine:
    """Fresh, with nothing in those folders."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes, programs = folder, folder / "notes", folder / "bin"
        for one in (*FOLDERS, "notes", "bin"):
            (folder / one).mkdir(parents=True)
        for name, text in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{NOTE}{text}")
            (programs / name).chmod(0o755)

    def boot(self, text: str, **told: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "user-data").write_text(text)
        binds = " && ".join(f'mount --bind "{self.folder}/{one}" /{one}' for one in FOLDERS)
        follow = f'{binds} && exec "{sys.executable}" "{first_boot.__file__}" "{self.folder}/user-data"'
        return subprocess.run(
            [*NAMESPACE, "sh", "-c", follow],
            env={
                "PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "NOTES": str(self.notes),
                "SONARSTACK_PAUSES": "0.01",
                **told,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def calls(self) -> list[str]:
        return (self.notes / "calls").read_text().splitlines()

    def kept(self, name: str) -> dict[str, object]:
        return dict(json.loads((self.notes / f"kept-{name}").read_text()))

    def tree(self) -> dict[str, tuple[int, str]]:
        """Mode and content of every file of the machine."""
        return {
            str(path.relative_to(self.folder)): (
                path.stat().st_mode & 0o7777,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for one in FOLDERS
            for path in (self.folder / one).rglob("*")
            if path.is_file()
        }


# Processes have a namespace too: when its first one ends, so does the program's guard, as by the power-off. Who is not
# root gets to be it in a namespace of users, where the system allows that.
NAMESPACE = [
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    *([] if os.geteuid() == 0 else ["--map-root-user"]),
]
can = (
    shutil.which("unshare") is not None
    and subprocess.run([*NAMESPACE, "sh", "-c", "mount --bind /tmp /mnt"], capture_output=True).returncode
    == 0
)
in_namespace = pytest.mark.skipif(not can, reason="this system lets nobody make namespaces here (unshare)")


def user_data(**more: str) -> str:
    found = declared(notifyUrl=f"json://host/{WORD}", **more)["training-host-template"].inputs["userData"]
    return base64.b64decode(found).decode()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@in_namespace
def test_from_the_first_boot_to_the_power_off(machine: Machine) -> None:
    done = machine.boot(user_data(), RUNS="1")
    assert done.returncode == 0, done.stdout + done.stderr
    names = [" ".join(call.split()[:2]) for call in machine.calls]
    assert re.fullmatch(r"shutdown -h \+\d+", machine.calls[0])  # the switch, before all that can fail
    assert names.index("systemctl daemon-reload") < names.index("systemctl enable")
    assert names[-2:] == ["aws autoscaling", "systemctl poweroff"]
    assert ["pull" in one or "run" in one for one in names if one.startswith("docker")].count(True) == 2
    assert machine.kept("started.json")["machine"] == "i-0123"
    assert (machine.kept("outcome.json")["code"], machine.kept("outcome.json")["log"]) == (0, ["last words"])
    told = dict(line.split("=", 1) for line in (machine.notes / "variables").read_text().splitlines())
    assert told["SONARSTACK_RUN_URL"].startswith("s3://")
    assert float(told["SONARSTACK_MAX_HOURS"]) > 0
    group = declared(notifyUrl=f"json://host/{WORD}")["training-host-group"].inputs["name"]
    assert f"--auto-scaling-group-name {group}" in machine.calls[-2]


@in_namespace
def test_only_root_reads_what_it_writes_and_a_second_boot_changes_nothing(machine: Machine) -> None:
    text = user_data()
    assert machine.boot(text).returncode == 0
    first = machine.tree()
    assert set(first) == {
        "etc/sonarstack/machine.json", "etc/sonarstack/cloudwatch.json", "etc/systemd/system/sonarstack.service",
        "opt/sonarstack/machine.py",
    }  # fmt: skip
    assert {mode for mode, _ in first.values()} == {0o600}
    again = machine.boot(text)
    assert (again.returncode, again.stderr) == (0, "")
    assert machine.tree() == first


@in_namespace
def test_a_service_that_does_not_start_fails_the_boot_with_the_switch_set(machine: Machine) -> None:
    done = machine.boot(user_data(), REFUSES="1")
    assert done.returncode != 0
    assert machine.calls[0].startswith("shutdown -h +")


@in_namespace
def test_a_text_that_was_damaged_fails_the_boot(machine: Machine) -> None:
    damaged = re.sub(r"(content: .{40}).{8}", r"\1", user_data(), count=1)
    done = machine.boot(damaged)
    assert done.returncode != 0
    assert not (machine.notes / "calls").exists()


@in_namespace
def test_no_secret_is_in_the_text_nor_in_anything_it_leaves(machine: Machine) -> None:
    text = user_data()
    done = machine.boot(text, RUNS="1")
    left = [
        path.read_bytes()
        for one in (*FOLDERS, "notes")
        for path in (machine.folder / one).rglob("*")
        if path.is_file()
    ]
    everything = b"\n".join([text.encode(), done.stdout.encode(), done.stderr.encode(), *left])
    for word in (WORD, "passw0rd", "AWS_SECRET_ACCESS_KEY", "AKIA"):
        assert word.encode() not in everything, word
    assert b"arn:aws:secretsmanager:" in everything  # where it lies, and not what it is


@pytest.mark.skipif(
    shutil.which("cloud-init") is None, reason="cloud-init is not on PATH (apt install cloud-init)"
)
def test_cloud_init_itself_takes_the_text(tmp_path: Path) -> None:
    def judged(text: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "user-data"
        path.write_text(text)
        return subprocess.run(
            ["cloud-init", "schema", "--config-file", str(path)], capture_output=True, text=True, timeout=120
        )

    done = judged(user_data())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Valid" in done.stdout
    assert "deprecat" not in (done.stdout + done.stderr).lower()
    wrong = yaml.safe_load(user_data()) | {"runcmd": "no list"}
    assert judged("#cloud-config\n" + yaml.safe_dump(wrong)).returncode != 0
