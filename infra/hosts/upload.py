"""Makes a folder of a host equal to one of this machine, and proves it by checksums of both sides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Host
from infra.hosts.rsync import copy, far_path, near_path
from infra.hosts.tree import STAMP, local_tree, remote_tree, shown, tree_digest

# Nothing is removed that we did not bring: a folder without our stamp is left as it is.
REMOVE = '[ -e "$1" ] || exit 0; [ -f "$1/$2" ] || exit 45; rm -rf -- "$1"'
CLAIM = (
    'if [ -d "$1" ] && [ ! -f "$1/$2" ] && [ -n "$(ls -A -- "$1")" ]; then exit 45; fi; '
    'mkdir -p -- "$1" && : > "$1/$2"'
)
NOT_OURS = 45
SLOWEST_BYTES_PER_S = 20e6
"""At which a host is expected to read its files for their checksums, at least (an assumption; network disks)."""


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
    only: Sequence[str] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] | None = None,
) -> UploadReceipt:
    """Make the host's folder equal to the source; what was there already is not sent again, half a file included.

    Links are followed: what they lead to is sent. Files that differ on the host although their size and time do
    not are sent anew.

    Args:
        host: where to.
        source: folder here; nothing may write in it meanwhile.
        target: folder there; made if missing.
        exclude: patterns of names, of files or whole folders; what they match on the host is left alone.
        only: names in the source itself, of which alone anything is sent; the rest is left alone on the host too.
        cancelled: looked at all the time; what has arrived is kept.
        progress: bytes done and bytes in all; what was there already counts as done in the last call only.

    Raises:
        HostError: the host cannot be reached, its folder holds other people's files, its disk is full, the copy
            differs, or the source changed meanwhile.
    """
    if not source.is_dir():
        raise HostError(f"{source} is no folder on this machine; check the path")
    for pattern in exclude:
        if "/" in pattern:
            raise HostError(f"exclude={pattern!r} holds a slash; a pattern is of a name alone, such as *.tmp")
    wanted = local_tree(source, exclude, only=only)
    size = sum((source / name).stat().st_size for name in wanted)
    tell = _no_progress if progress is None else progress
    _claim(host, target)
    tell(0, size)
    rules = [f"--filter=- {pattern}" for pattern in (STAMP, *exclude)]
    if only is not None:
        rules += [*(f"--filter=+ /{name}" for name in only), "--filter=- /*"]
    near, far = near_path(source), far_path(host, target)
    copy(
        near, far, host=host, options=["--delete", *rules], may_vanish=True, cancelled=cancelled,
        progress=lambda done: tell(min(done, size), size),
    )  # fmt: skip

    def differing() -> list[str]:
        limit_s = 600.0 + size / SLOWEST_BYTES_PER_S
        there = remote_tree(host, target, exclude, clean=True, timeout_s=limit_s, cancelled=cancelled) or {}
        _refuse_changed(wanted, local_tree(source, exclude, only=only))
        return [name for name in wanted if there.get(name) != wanted[name]]

    differs = differing()
    if differs:
        copy(near, far, host=host, names=differs, may_vanish=True, cancelled=cancelled)
        differs = differing()
    if differs:
        raise HostError(
            f"{len(differs)} files differ on {host.address} after the upload, {shown(differs[0])} first; "
            "something writes there, or its disk is damaged"
        )
    tell(size, size)
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


def _claim(host: Host, target: str) -> None:
    done = host.run(["sh", "-c", CLAIM, "claim", target, STAMP])
    if done.code == NOT_OURS:
        raise HostError(
            f"{target} on {host.address} holds files that are not this stack's; remove them, or name another folder"
        )
    if done.code:
        raise HostError(f"{target} on {host.address} cannot be made: {done.err}")


def _refuse_changed(before: dict[str, str], now: dict[str, str]) -> None:
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    if changed:
        raise HostError(
            f"{len(changed)} files changed on this machine while they were sent, {shown(changed[0])} first; "
            "run it again when nothing writes there"
        )


def _no_progress(_done: int, _total: int) -> None:
    """For callers who do not ask."""
