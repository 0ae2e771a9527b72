"""A folder in memory: what is unsealed lies there and nowhere else, and goes when its process goes.

Memory can be read by whoever is root on the machine while it runs, and swapped where the machine has swap: what is
kept from the disk of a host is not kept from its owner.
"""

import fcntl
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread

import psutil

from app.device.host_memory import host_free_bytes
from app.errors import SealError

PREFIX = "sonarstack-sealed-"
IN_MEMORY = ("tmpfs", "ramfs")
USUAL = "/dev/shm"  # noqa: S108 a file system in memory is what is looked for
RESERVE_BYTES = 64 << 20
"""Left to everybody else of the file system."""


@contextmanager
def memory_folder(needs_bytes: int, *, mounts: tuple[Path, ...] | None = None) -> Iterator[Path]:
    """A folder of this process alone, in memory; removed at the end, or by the next one after a kill -9.

    While it is there, temporary files of this process lie in it too, and no core dump is written.

    Args:
        needs_bytes: what will be put there.
        mounts: file systems in memory to choose from; those of this machine if None.

    Raises:
        SealError: no file system in memory has the room.
    """
    mount = _roomy(needs_bytes, memory_mounts() if mounts is None else mounts)
    _remove_leftovers(mount)
    folder, lock = _locked_folder(mount)
    temporary, core = tempfile.tempdir, resource.getrlimit(resource.RLIMIT_CORE)
    (folder / "tmp").mkdir()
    tempfile.tempdir = str(folder / "tmp")
    resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))
    try:
        with _stop_by_exception():
            yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, core)
        tempfile.tempdir = temporary
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def memory_mounts() -> tuple[Path, ...]:
    """Writable file systems in memory, the usual one first, then the roomiest."""
    found = {
        p.mountpoint
        for p in psutil.disk_partitions(all=True)
        if p.fstype in IN_MEMORY and os.access(p.mountpoint, os.W_OK | os.X_OK)
    }
    return tuple(
        sorted((Path(m) for m in found), key=lambda m: (str(m) != USUAL, -shutil.disk_usage(m).free))
    )


def free_bytes(mount: Path) -> int:
    """What can still be put there: files in memory count as memory of whoever writes them."""
    return min(shutil.disk_usage(mount).free, host_free_bytes())


def _roomy(needs_bytes: int, mounts: tuple[Path, ...]) -> Path:
    wanted = needs_bytes + RESERVE_BYTES
    free = {mount: free_bytes(mount) for mount in mounts}
    for mount in mounts:
        if free[mount] >= wanted:
            return mount
    has = ", ".join(f"{mount} has {free[mount] / 2**20:.0f} MiB free" for mount in mounts[:3])
    raise SealError(
        f"a sealed run needs {wanted / 2**20:.0f} MiB in memory, and {has or 'no file system here is in memory'}; "
        "use a machine with more memory (of a container: a larger --shm-size), or less data"
    )


def _locked_folder(mount: Path) -> tuple[Path, int]:
    """A new folder and the lock on it, which goes with the process."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=mount, prefix=PREFIX))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another process took it for a leftover
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def _remove_leftovers(mount: Path) -> None:
    for folder in mount.glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY)
        except OSError:  # another user's, or just gone
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:  # its process lives
            pass
        finally:
            os.close(lock)


@contextmanager
def _stop_by_exception() -> Iterator[None]:
    """Let a SIGTERM that comes outside the training loop unwind, so that the folder goes."""
    if current_thread() is not main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
