"""A real sshd on loopback with keys of its own, for whoever tests against a machine behind SSH."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where it listens, and what proves who it is and who we are."""

    address: str
    host_key: str
    identity: str
    home: Path


def missing_programs() -> str | None:
    """What a test needs and this machine lacks."""
    needed = {"ssh": "openssh-client", "rsync": "rsync", "ssh-keygen": "openssh-client"}
    lacking = [package for program, package in needed.items() if shutil.which(program) is None]
    if not Path("/usr/sbin/sshd").exists():
        lacking.append("openssh-server")
    return f"{', '.join(lacking)} not installed" if lacking else None


def serve(folder: Path) -> Iterator[Server]:
    """Run one until the test is over."""
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_text((folder / "client.pub").read_text())
    (folder / "authorized").chmod(0o600)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nMaxStartups 50\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "conf")], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        key = " ".join((folder / "host.pub").read_text().split()[:2])
        home = folder / "home"
        home.mkdir()
        user = os.environ.get("USER", "root")
        yield Server(
            address=f"ssh://{user}@127.0.0.1:{port}", host_key=key, identity=str(folder / "client"), home=home
        )
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def sshd(tmp_path) -> Iterator[Server]:
    """One server a test."""
    reason = missing_programs()
    if reason:
        pytest.skip(reason)
    yield from serve(tmp_path)
