"""Brings a run home from where it was made, and proves that what arrived is what was there."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.errors import RunHomeError
from infra.hosts.far_tree import PARTIAL
from infra.hosts.host import Host
from infra.hosts.local import LocalHost
from infra.hosts.rsync import copy, far_path, near_path
from infra.hosts.tree import local_tree, remote_tree, shown
from infra.runs.manifest import NOT_LISTED, RECORD, differences, read_manifest

OWN = ("checkpoints/", "sealed/")
"""Folders in which a run replaces its own files as it goes on; nobody else's lie there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HomeReceipt:
    """What is at home now."""

    home: str
    files: int
    bytes: int
    began: bool
    """False where the job never came as far as a run."""
    complete: bool
    """Whether the program says that the job is done."""
    notes: tuple[str, ...] = ()
    """What to know about it, one line each."""

    def as_text(self) -> str:
        """One line for people."""
        if not self.began:
            return f"no run was begun; nothing in {self.home}"
        state = "complete" if self.complete else "not complete: it can be taken up"
        return f"run in {self.home}: {self.files} files, {self.bytes / 2**20:.1f} MiB, {state}"


def bring_home(
    host: Host,
    path: str,
    home: Path,
    *,
    over: bool = True,
    crashed: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> HomeReceipt:
    """Copy the run to `home` and verify it; a copy that was cut short goes on where it stopped, half files included.

    Args:
        host: where the run is.
        path: its folder there; on this machine it may be `home` itself.
        home: folder here; made if missing, and must not hold another run.
        over: False for a run that is still being written, whose manifest tells of an earlier moment.
        crashed: whether the job ended without writing its manifest anew; differences are notes then.
        cancelled: looked at all the time; what has arrived is kept.

    Raises:
        RunHomeError: something did not arrive as it was, or differs from the manifest.
        HostError: the host cannot be reached, the disk here is full, or `cancelled` said so.
    """
    record = host.read(f"{path}/{RECORD}")
    if record is None:
        return HomeReceipt(home=str(home), files=0, bytes=0, began=False, complete=False)
    is_home = isinstance(host, LocalHost) and Path(path).resolve() == home.resolve()
    notes: list[str] = []
    if not is_home:
        _refuse_another_run(home, record)
        home.mkdir(parents=True, exist_ok=True)
        # Of a run that goes on, files are renamed and removed meanwhile.
        copy(far_path(host, path), near_path(home), host=host, may_vanish=not over, cancelled=cancelled)
        if over:  # what is still being written differs by nature
            notes = _compare(host, path, home, cancelled)
    complete, more = _verify(home, strict=over and not crashed)
    names = local_tree(home, NOT_LISTED)
    return HomeReceipt(
        home=str(home),
        files=len(names),
        bytes=sum((home / name).stat().st_size for name in names),
        began=True,
        complete=complete,
        notes=(*notes, *more),
    )


def _refuse_another_run(home: Path, record: bytes) -> None:
    mine = home / RECORD
    if mine.is_file() and mine.read_bytes() != record:
        raise RunHomeError(
            f"{home} holds another run; move it away, or give another folder with sonarstack:home"
        )


def _compare(host: Host, path: str, home: Path, cancelled: Callable[[], bool]) -> list[str]:
    """Prove that what is here is what is there; files that only look equal are fetched anew. What to know of it."""
    there = remote_tree(host, path, cancelled=cancelled) or {}
    told = _told(home)

    def differing() -> list[str]:
        here = local_tree(home)
        # A file that is here as its manifest says is whole: damage over there must not come home over it.
        return [n for n in there if here.get(n) != there[n] and (n not in told or here.get(n) != told[n])]

    wrong = differing()
    if wrong:
        copy(far_path(host, path), near_path(home), host=host, names=wrong, cancelled=cancelled)
        wrong = differing()
    if wrong:
        raise RunHomeError(
            f"{len(wrong)} of {len(there)} files of {path} on {host.address} did not arrive whole in {home}, "
            f"{shown(wrong[0])} first; run it again, what is here is kept"
        )
    for left in list(home.rglob(PARTIAL)):
        shutil.rmtree(left)
    here = local_tree(home)
    # An earlier copy of the run as it went on holds what the program has replaced since.
    for name in here.keys() - there.keys():
        if name.startswith(OWN) and name not in told:
            (home / name).unlink()
    spoilt = [name for name in there if here.get(name) != there[name]]
    if not spoilt:
        return []
    return [
        f"{len(spoilt)} files on {host.address} no longer match the manifest, {shown(spoilt[0])} first; "
        "those here do"
    ]


def _told(home: Path) -> dict[str, str]:
    """Checksums of the manifest at home; empty where there is none that can be read."""
    try:
        return read_manifest(home)[1]
    except RunHomeError:  # told by _verify, where that matters
        return {}


def _verify(home: Path, *, strict: bool) -> tuple[bool, list[str]]:
    """Whether the job is done by its manifest, and what to know; raises where that must not be."""
    try:
        complete, wrong = read_manifest(home)[0], differences(home)
    except RunHomeError as error:
        if strict:
            raise
        return False, [str(error)]
    if wrong and strict:
        shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise RunHomeError(f"the run in {home} differs from its manifest: {shown}")
    return complete, [f"{len(wrong)} files are newer than the manifest"] if wrong else []
