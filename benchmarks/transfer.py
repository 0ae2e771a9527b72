"""Seconds to bring folders to a host: `python -m benchmarks.transfer [--files N] [--mib M] [--repeat R]`.

Our upload, which proves what arrived by checksums of both sides, beside plain `rsync -a` and `scp -r`, over an sshd
of its own on loopback. Ways take turns; the median is shown. Loopback has no latency and no limit, so what is seen
is the work of both machines on one, the least that a real line adds to.
"""

import argparse
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.hosts.banner import wait_for_banner
from infra.hosts.ssh import SshHost
from infra.hosts.tree import local_tree, remote_tree
from infra.hosts.upload import upload

FILE_BYTES = 2000
MIB = 2**20


@contextmanager
def served(folder: Path) -> Iterator[SshHost]:
    """An sshd with keys of its own."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        sys.exit("sshd is not installed; install openssh-server")
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/client.pub\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "Subsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([program, "-D", "-f", str(folder / "conf")], stderr=subprocess.DEVNULL)
    try:
        wait_for_banner("127.0.0.1", port, timeout_s=10.0)
        host = SshHost(
            f"ssh://127.0.0.1:{port}",
            host_key=" ".join((folder / "host.pub").read_text().split()[:2]),
            identity=str(folder / "client"),
            identity_only=True,
        )
        host.run(["true"])  # the connection is shared by all ways
        yield host
        host.close()
    finally:
        server.terminate()
        server.wait()


def make_sources(folder: Path, files: int, mib: int) -> dict[str, Path]:
    """What is sent: many small files, and one large one."""
    many, one = folder / "many", folder / "one"
    for number in range(files):
        path = many / f"{number // 200}" / f"tile-{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(FILE_BYTES))
    one.mkdir()
    with (one / "survey.xtf").open("wb") as stream:
        for _ in range(mib):
            stream.write(os.urandom(MIB))
    return {f"{files:,} files of {FILE_BYTES} B": many, f"one file of {mib} MiB": one}


def ways(host: SshHost) -> dict[str, Callable[[Path, Path], object]]:
    """Each brings a folder's content to another one there."""
    ssh = host.ssh_command()
    options = [word for word in ssh[1:] if word != "-p"]
    port = options.pop(ssh[1:].index("-p")) if "-p" in ssh else "22"
    return {
        "upload, verified": lambda source, target: upload(host, source, str(target)),
        "rsync -a": lambda source, target: subprocess.run(
            ["rsync", "-a", "-e", shlex.join(ssh), f"{source}/", f"{host.destination}:{target}/"], check=True
        ),
        "scp -r": lambda source, target: subprocess.run(
            ["scp", "-q", "-r", "-P", port, *options, f"{source}/.", f"{host.destination}:{target}"],
            check=True,
        ),
    }


def seconds(way: Callable[[Path, Path], object], source: Path, target: Path) -> float:
    """For one go."""
    started = time.perf_counter()
    way(source, target)
    return time.perf_counter() - started


def main() -> None:
    """Print one line per folder and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, served(Path(made)) as host:
        root = Path(made)
        print(f"{os.cpu_count()} cores; first: into an empty folder; again: nothing has changed; seconds")
        for what, source in make_sources(root, options.files, options.mib).items():
            mib = sum(path.stat().st_size for path in source.rglob("*") if path.is_file()) / MIB
            times: dict[str, list[tuple[float, float]]] = {}
            for _ in range(options.repeat):
                for name, way in ways(host).items():
                    target = root / "there"
                    if name == "scp -r":
                        target.mkdir()
                    first = seconds(way, source, target)
                    times.setdefault(name, []).append((first, seconds(way, source, target)))
                    if remote_tree(host, str(target)) != local_tree(source):
                        sys.exit(f"{name}: what arrived differs")
                    shutil.rmtree(target)
            print(what)
            for name, got in times.items():
                first, again = (statistics.median(part) for part in zip(*got, strict=True))
                print(f"  {name:18} first {first:6.2f} ({mib / first:6.1f} MiB/s)   again {again:6.2f}")


if __name__ == "__main__":
    main()
