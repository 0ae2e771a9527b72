"""Keys of this machine's own."""

import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.errors import HostError
from infra.hosts.keys import ensure_key, forget_key, key_path, public_key
from tests.infra.hosts.proxy import REPOSITORY


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "sonarstack"


def test_a_key_is_made_once_for_its_user_alone(state) -> None:
    public = ensure_key("proj-dev")
    assert public == ensure_key("proj-dev")
    assert public.split()[0] == "ssh-ed25519"
    assert public.split()[2] == "proj-dev"
    path = key_path("proj-dev")
    assert path == state / "keys" / "proj-dev"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / "keys" / "proj-dev.pub").read_text() == public + "\n"
    assert ensure_key("other") != public


def test_those_who_ask_at_once_get_the_same(state) -> None:
    words = [sys.executable, "-c", "from infra.hosts.keys import ensure_key; print(ensure_key('k'))"]

    def ask(_: int) -> str:
        return subprocess.run(
            words, cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()

    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(ask, range(8)))
    assert got == {ensure_key("k")}
    assert sorted(p.name for p in (state / "keys").iterdir()) == ["k", "k.pub"]


def test_a_public_half_that_was_lost_or_changed_is_mended(state) -> None:
    public = ensure_key("k")
    (state / "keys" / "k.pub").unlink()
    assert ensure_key("k") == public
    (state / "keys" / "k.pub").write_text("ssh-ed25519 AAAA else")
    assert ensure_key("k") == public
    assert (state / "keys" / "k.pub").read_text() == public + "\n"


def test_a_damaged_key_is_one_line(state) -> None:
    ensure_key("k")
    key_path("k").write_text("rubbish")
    with pytest.raises(HostError, match=r"keys/k cannot be used: .*; remove it to have a new one made"):
        ensure_key("k")


def test_looking_for_a_key_makes_none(state) -> None:
    assert public_key("k") is None
    assert not key_path("k").exists()
    kind, key, _ = ensure_key("k").split()
    assert public_key("k") == f"{kind} {key}"


def test_a_key_is_forgotten(state) -> None:
    public = ensure_key("k")
    forget_key("k")
    forget_key("k")
    assert list((state / "keys").iterdir()) == []
    assert ensure_key("k") != public


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "a b", "x.pub", "a\nb", "ü"])
def test_a_name_that_is_none(name) -> None:
    with pytest.raises(HostError, match="is no name of a key; letters, digits"):
        ensure_key(name)


def test_no_ssh_keygen(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        HostError, match="ssh-keygen is not installed on this machine; install openssh-client"
    ):
        ensure_key("k")


def test_a_full_disk_leaves_nothing_beside_the_keys(monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(HostError, match="No space left"):
        ensure_key("proj-dev")
    assert [path.name for path in key_path("proj-dev").parent.iterdir()] == ["proj-dev"]
