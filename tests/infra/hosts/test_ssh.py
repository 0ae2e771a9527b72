"""Machines behind SSH, against a real sshd on loopback."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.errors import HostError, RunHomeError
from infra.hosts.local import LocalHost
from infra.hosts.ssh import SshHost
from infra.hosts.tree import STAMP, local_tree, remote_tree, tree_digest
from infra.hosts.upload import remove_upload, upload
from infra.jobs.detached import DetachedSpec, start_detached
from infra.jobs.job import log_tail, wait_for
from infra.runs.home import bring_home


@pytest.fixture
def host(sshd) -> SshHost:
    return SshHost(sshd.address, host_key=sshd.host_key, identity=sshd.identity)


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "a b.txt").write_text("one")
    (folder / "deep" / "ü'$.bin").write_bytes(os.urandom(200_000))
    (folder / ".git").mkdir()
    (folder / ".git" / "secret").write_text("hush")
    return folder


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


def test_nobody_answers() -> None:
    with pytest.raises(HostError, match=r"ssh://127.0.0.1:1 cannot be reached: .*refused"):
        SshHost("ssh://127.0.0.1:1").run(["true"])


@pytest.mark.parametrize("address", ["host", "ssh://", "http://host", "ssh://-oProxyCommand=x", "ssh://a b"])
def test_an_address_that_is_none(address) -> None:
    with pytest.raises(HostError, match="is no SSH address"):
        SshHost(address)


def test_an_upload_is_equal_and_says_so(host, sshd, source) -> None:
    target = f"{sshd.home}/code"
    receipt = upload(host, source, target, exclude=[".git"])
    assert receipt.files == 2
    assert remote_tree(host, target) == local_tree(source, [".git"])
    assert receipt.sha256 == tree_digest(local_tree(source, [".git"]))
    assert not Path(target, ".git").exists()


def test_an_upload_again_brings_changes_and_takes_away_what_is_gone(host, sshd, source) -> None:
    target = f"{sshd.home}/code"
    upload(host, source, target, exclude=[".git"])
    (source / "a b.txt").unlink()
    (source / "new").write_text("new")
    upload(host, source, target, exclude=[".git"])
    assert remote_tree(host, target) == local_tree(source, [".git"])


def test_what_is_not_ours_is_neither_overwritten_nor_removed(host, sshd, source) -> None:
    folder = sshd.home / "theirs"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(HostError, match="holds files that are not this stack's"):
        upload(host, source, str(folder))
    with pytest.raises(HostError, match="does not carry our mark"):
        remove_upload(host, str(folder))
    assert (folder / "thesis.tex").exists()


def test_ours_is_removed_once_and_then_is_gone(host, sshd, source) -> None:
    target = f"{sshd.home}/code"
    upload(host, source, target)
    assert (Path(target) / STAMP).exists()
    remove_upload(host, target)
    assert not Path(target).exists()
    remove_upload(host, target)


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
