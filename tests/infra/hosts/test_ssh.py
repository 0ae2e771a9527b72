"""Machines behind SSH, against a real sshd on loopback."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.errors import HostError, RunHomeError
from infra.hosts.host import open_host
from infra.hosts.keys import ensure_key
from infra.hosts.local import LocalHost
from infra.hosts.process import CancelledError
from infra.hosts.refusal import NoConnectionError
from infra.hosts.ssh import SshHost
from infra.jobs.detached import DetachedSpec, start_detached
from infra.jobs.job import log_tail, wait_for
from infra.runs.home import bring_home


def test_a_command_runs_there_with_its_words_whole(host) -> None:
    done = host.run(["printf", "%s|", "a b", "$HOME", "it's", "*"])
    assert done.out == b"a b|$HOME|it's|*|"
    assert host.run(["sh", "-c", "exit 7"]).code == 7
    assert host.run(["cat"], data=b"\0\1").out == b"\0\1"


def test_a_file_is_read_from_an_offset_and_its_absence_is_told(host, sshd) -> None:
    (sshd.home / "f").write_bytes(b"0123456789")
    assert host.read(f"{sshd.home}/f", 4) == b"456789"
    assert host.read(f"{sshd.home}/none") is None


def test_another_host_key_is_refused(sshd, tmp_path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    key = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    with pytest.raises(HostError, match=r"shows another host key than the one expected.*ssh-keyscan -p"):
        SshHost(sshd.address, host_key=key, identity=sshd.identity).run(["true"])


def test_a_given_host_key_holds_for_a_machine_that_the_configuration_names(
    sshd, tmp_path, monkeypatch
) -> None:
    port = sshd.address.rpartition(":")[2]
    (tmp_path / "config").write_text(f"Host sonarbox\n  HostName 127.0.0.1\n  Port {port}\n")
    # ssh takes its user's folder from the system, not from HOME.
    program = tmp_path / "programs" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path}/config "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with _ended(SshHost("ssh://sonarbox", host_key=sshd.host_key, identity=sshd.identity)) as named:
        assert named.run(["echo", "here"]).out == b"here\n"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    with pytest.raises(HostError, match=r"sonarbox shows another host key than the one expected"):
        SshHost("ssh://sonarbox", host_key=other, identity=sshd.identity).run(["true"])


@pytest.mark.parametrize("name", ["two words", "100%d", 'a"b', "it's"])
def test_a_folder_for_temporary_files_may_have_any_name(sshd, monkeypatch, name) -> None:
    # Short, as a socket's path must be, which pytest's own folders are not.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix=name) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        machine = SshHost(sshd.address, host_key=sshd.host_key, identity=sshd.identity, identity_only=True)
        with _ended(machine):
            assert machine.run(["echo", "here"]).out == b"here\n"


@contextmanager
def _ended(machine: SshHost) -> Iterator[SshHost]:
    try:
        yield machine
    finally:
        machine.close()


def test_an_unknown_host_key_is_refused_with_the_way_to_compare_it(sshd) -> None:
    with pytest.raises(HostError, match=r"is not known; compare what `ssh-keyscan -p \d+ 127.0.0.1` prints"):
        SshHost(sshd.address, identity=sshd.identity).run(["true"])


def test_a_key_that_is_not_accepted(sshd, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "stranger")], check=True
    )
    with pytest.raises(HostError, match=r"accepts none of your keys; add one with `ssh-copy-id"):
        SshHost(sshd.address, host_key=sshd.host_key, identity=str(tmp_path / "stranger")).run(["true"])


def test_nobody_answers(free_port) -> None:
    with pytest.raises(NoConnectionError, match=r"ssh://127.0.0.1:\d+ cannot be reached: .*refused"):
        SshHost(f"ssh://127.0.0.1:{free_port}").run(["true"])


@pytest.mark.parametrize("address", ["host", "ssh://", "http://host", "ssh://-oProxyCommand=x", "ssh://a b"])
def test_an_address_that_is_none(address) -> None:
    with pytest.raises(HostError, match="is no SSH address"):
        SshHost(address)


@pytest.mark.parametrize(
    "key", ["AAAA", "ssh-ed25519", "ssh-ed25519 AAAA\n* ssh-ed25519 BBBB", "ssh-ed25519 $(x)", ""]
)
def test_a_host_key_that_is_none(key) -> None:
    with pytest.raises(HostError, match="is no host key; it looks like ssh-ed25519 AAAA"):
        SshHost("ssh://host", host_key=key)


def test_a_comment_behind_a_host_key_is_dropped(sshd) -> None:
    host = SshHost(sshd.address, host_key=f"{sshd.host_key} root@pod\n", identity=sshd.identity)
    assert host.run(["true"]).code == 0
    host.close()


@pytest.fixture
def agent(sshd, tmp_path, monkeypatch):
    """An agent that holds the key which the server accepts."""
    running = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    add = ["ssh-add", "-q", sshd.identity]
    for _ in range(100):
        if subprocess.run(add, capture_output=True, check=False).returncode == 0:
            break
        time.sleep(0.05)
    yield
    running.terminate()
    running.wait()


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return str(path)


def test_our_key_alone_is_offered(sshd, agent, tmp_path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with_others = SshHost(sshd.address, host_key=sshd.host_key, identity=stranger)
    assert with_others.run(["true"]).code == 0  # by the agent's
    alone = SshHost(sshd.address, host_key=sshd.host_key, identity=stranger, identity_only=True)
    with pytest.raises(
        HostError, match=r"does not accept the key .*/stranger; it was rented with another one"
    ):
        alone.run(["true"])
    with_others.close()


def test_a_key_file_that_is_missing_or_open_to_others(sshd, tmp_path) -> None:
    host = SshHost(sshd.address, host_key=sshd.host_key, identity=str(tmp_path / "none"), identity_only=True)
    with pytest.raises(HostError, match=r"the key .*/none for ssh://.* is not on this machine; work from"):
        host.run(["true"])
    Path(sshd.identity).chmod(0o644)
    loose = SshHost(sshd.address, host_key=sshd.host_key, identity=sshd.identity, identity_only=True)
    with pytest.raises(
        HostError, match=r"the key .*/client is open to other users; run `chmod 600 .*/client`"
    ):
        loose.run(["true"])


def test_a_rented_machine_with_another_host_key(sshd, tmp_path) -> None:
    make_key(tmp_path / "other")
    key = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    host = SshHost(sshd.address, host_key=key, identity=sshd.identity, identity_only=True)
    with pytest.raises(
        HostError, match=r"shows another host key .* another machine has its address now"
    ) as told:
        host.run(["true"])
    assert "gpuServerHostKey" not in str(told.value)


def test_an_earlier_machine_s_connection_is_not_used_for_another_host_key(sshd, host, tmp_path) -> None:
    assert host.run(["true"]).code == 0  # its connection stays open
    make_key(tmp_path / "other")
    key = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    with pytest.raises(HostError, match="shows another host key"):
        SshHost(sshd.address, host_key=key, identity=sshd.identity, identity_only=True).run(["true"])
    assert host.run(["true"]).code == 0


def test_a_machine_by_the_name_of_its_key(sshd, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    where = {"address": sshd.address, "hostKey": sshd.host_key, "identity": "proj-dev-abc123"}
    with pytest.raises(HostError, match=r"keys/proj-dev-abc123 for .* is not on this machine"):
        open_host(where).run(["true"])
    (tmp_path / "authorized").write_text(ensure_key("proj-dev-abc123") + "\n")
    assert open_host(where).run(["printf", "in"]).out == b"in"
    with pytest.raises(HostError, match=r"'\.\./\.\./etc' is no name of a key"):
        open_host({**where, "identity": "../../etc"})


@contextmanager
def hung(host: SshHost):
    """The process that holds the shared connection stands still."""
    socket = next(w for w in host.ssh_command() if w.startswith("ControlPath=")).partition("=")[2]
    told = subprocess.run(
        ["ssh", "-S", socket, "-O", "check", "x"], capture_output=True, text=True, check=True
    )
    master = int(told.stderr.partition("pid=")[2].partition(")")[0])
    os.kill(master, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(master, signal.SIGKILL)


def test_a_shared_connection_that_hangs_is_left_behind(host) -> None:
    host.run(["true"])
    with hung(host):
        started = time.monotonic()
        with pytest.raises(HostError, match=r"did not answer within 1 s"):
            host.run(["true"], timeout_s=1.0)
        assert host.run(["printf", "again"], timeout_s=10.0).out == b"again"
        assert time.monotonic() - started < 15.0


def test_closing_ends_the_shared_connection_even_one_that_hangs(host, line, far) -> None:
    far.run(["true"])
    far.run(["true"])
    assert line.connections == 1
    far.close()
    far.close()
    far.run(["true"])
    assert line.connections == 2
    host.run(["true"])
    with hung(host):
        host.close()
    assert host.run(["true"]).code == 0


def test_a_slow_command_does_not_take_others_with_it(host) -> None:
    long = subprocess.Popen(
        [*host.ssh_command(), "--", host.destination, "sleep 3; echo whole"], stdout=subprocess.PIPE
    )
    with pytest.raises(HostError, match="did not answer within"):
        host.run(["sleep", "5"], timeout_s=0.5)
    assert long.communicate()[0] == b"whole\n"


def test_cancel_ends_a_command(host) -> None:
    started = time.monotonic()
    with pytest.raises(CancelledError, match=r"sleep on ssh://.* was cancelled"):
        host.run(["sleep", "30"], cancelled=lambda: time.monotonic() > started + 0.5)
    assert time.monotonic() - started < 5.0


def test_a_job_runs_there_and_its_run_comes_home(host, sshd, tmp_path) -> None:
    script = (
        f"mkdir -p {sshd.home}/run && cd {sshd.home}/run && echo '{{}}' >run.json && printf '"
        '{"complete": true, "files": {"run.json": "%s"}}\' "$(sha256sum run.json | cut -c1-64)" >manifest.json'
    )
    spec = DetachedSpec(
        folder=f"{sshd.home}/job", argv=("sh", "-c", script), variables={}, cwd=str(sshd.home), stamp="s"
    )
    job = start_detached(host, spec)
    assert wait_for(job, timeout_s=20).outcome == "done", log_tail(job)
    receipt = bring_home(host, f"{sshd.home}/run", tmp_path / "here")
    assert (receipt.files, receipt.complete) == (2, True)
    (tmp_path / "here" / "run.json").write_text("mine")
    with pytest.raises(RunHomeError, match="holds another run"):
        bring_home(host, f"{sshd.home}/run", tmp_path / "here")


def test_this_machine_answers_the_same_way(tmp_path) -> None:
    host = LocalHost()
    assert host.run(["sh", "-c", "echo out; echo err >&2; exit 3"]).code == 3
    assert host.read(str(tmp_path / "none")) is None
    with pytest.raises(HostError, match="no-such-program is not installed"):
        host.run(["no-such-program"])
    with pytest.raises(HostError, match=r"did not end within 0.2 s"):
        host.run(["sleep", "5"], timeout_s=0.2)
