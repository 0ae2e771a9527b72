"""Copies a folder to a host: rsync over the pinned connection, resumable, proven by checksums of both sides."""

import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Host
from infra.hosts.ssh import NO_CONNECTION, SshHost
from infra.hosts.tree import STAMP, local_tree, remote_tree, tree_digest

# Nothing is removed that we did not bring: a folder without our stamp is left as it is.
REMOVE = '[ -e "$1" ] || exit 0; [ -f "$1/$2" ] || exit 45; rm -rf -- "$1"'
CLAIM = (
    'if [ -d "$1" ] && [ ! -f "$1/$2" ] && [ -n "$(ls -A "$1")" ]; then exit 45; fi; '
    'mkdir -p -- "$1" && : > "$1/$2"'
)
NOT_OURS = 45


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadReceipt:
    """What lies on the host now."""

    files: int
    bytes: int
    sha256: str
    """Of the table of all paths and contents."""


def upload(
    host: Host,
    source: Path,
    target: str,
    *,
    exclude: Sequence[str] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> UploadReceipt:
    """Make the host's folder equal to the source; what was there already is not sent again.

    Raises:
        HostError: the host cannot be reached, its folder holds other people's files, or the copy differs.
    """
    if not source.is_dir():
        raise HostError(f"{source} is no folder on this machine; check the path")
    claimed = host.run(["sh", "-c", CLAIM, "claim", target, STAMP])
    if claimed.code == NOT_OURS:
        raise HostError(
            f"{target} on {host.address} holds files that are not this stack's; remove them, or name another folder"
        )
    if claimed.code:
        raise HostError(f"{target} on {host.address} cannot be made: {claimed.err}")
    wanted = local_tree(source, exclude)
    rules = [f"--exclude=/{STAMP}", *(f"--exclude={pattern}" for pattern in exclude)]
    copy(
        f"{source}/",
        far_path(host, f"{target}/"),
        host=host,
        options=["--delete", *rules],
        cancelled=cancelled,
    )
    there = remote_tree(host, target) or {}
    differs = [name for name in wanted if there.get(name) != wanted[name]]
    if differs:
        raise HostError(
            f"{len(differs)} files differ on {host.address} after the upload, {differs[0]} first; run it again"
        )
    size = sum((source / name).stat().st_size for name in wanted)
    return UploadReceipt(files=len(wanted), bytes=size, sha256=tree_digest(wanted))


def remove_upload(host: Host, target: str) -> None:
    """Remove a folder that `upload` made; one that is gone already is fine.

    Raises:
        HostError: the host cannot be reached, or the folder does not carry our stamp.
    """
    done = host.run(["sh", "-c", REMOVE, "remove", target, STAMP])
    if done.code == NOT_OURS:
        raise HostError(f"{target} on {host.address} does not carry our mark; it is left as it is")
    if done.code:
        raise HostError(f"{target} on {host.address} cannot be removed: {done.err}")


def far_path(host: Host, path: str) -> str:
    """A host's path as rsync names it."""
    return f"{host.destination}:{path}" if isinstance(host, SshHost) else path


def copy(
    source: str,
    target: str,
    *,
    host: Host,
    options: Sequence[str] = (),
    attempts: int = 4,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """rsync between this machine and the host; a cut connection is taken up again where it broke.

    Raises:
        HostError: rsync is missing, or still fails after all attempts.
    """
    words = ["rsync", "-aL", "--partial", "--timeout=120", *options]
    if isinstance(host, SshHost):
        words += ["-e", shlex.join(host.ssh_command())]
    err = "cancelled"
    for _ in range(attempts):
        if cancelled():
            break
        try:
            done = subprocess.run(  # noqa: S603 our own words
                [*words, "--", source, target], capture_output=True, check=False
            )
        except FileNotFoundError as error:
            raise HostError("rsync is not installed on this machine; install it") from error
        if done.returncode == 0:
            return
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        err = next(
            (line for line in lines if "rsync" in line), lines[-1] if lines else f"code {done.returncode}"
        )
        if done.returncode == 127 or "command not found" in " ".join(lines):
            raise HostError(f"rsync is not installed on {host.address}; install it there")
        # 10, 12, 30, 35, 255: the connection, which may come back; anything else will not mend itself.
        if done.returncode not in (10, 12, 30, 35, NO_CONNECTION):
            break
    raise HostError(f"copying between here and {host.address} failed: {err}")
