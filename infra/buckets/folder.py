"""A folder of this machine in an object store and back, proven equal by checksums in an index beside it.

The index is the one that the program's own mirror writes (app/mirror.py), so that either side reads the other's.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.buckets.store import ObjectStore
from infra.errors import HostError, RunHomeError
from infra.hosts.tree import local_tree, shown, tree_digest
from infra.hosts.upload import UploadReceipt

INDEX = "mirror.json"
NOT_THERE = ""
"""Stands for the old checksum of a file that was not there before: one alone would say that it has arrived."""
AT_ONCE = 8
"""Small files wait for the network, not for this machine."""


def send_folder(
    store: ObjectStore,
    source: Path,
    prefix: str,
    *,
    owner: str,
    exclude: Sequence[str] = (),
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] | None = None,
) -> UploadReceipt:
    """Make the objects below `prefix` equal to the folder; what is there already by the index is not sent again.

    Args:
        owner: the stack; another's objects are left alone.

    Raises:
        HostError: the store does not take them, holds another stack's, a file changed meanwhile, or one is called
            as the index, or in letters that no bucket has.
    """
    if not source.is_dir():
        raise HostError(f"{source} is no folder on this machine; check the path")
    wanted = local_tree(source, exclude)
    if INDEX in wanted:
        raise HostError(
            f"{source} holds {INDEX}, the index of a copy in a bucket, which has one of its own; remove it"
        )
    unnamed = [name for name in wanted if not _is_utf8(name)]
    if unnamed:
        raise HostError(
            f"{source} holds {len(unnamed)} files whose names are not UTF-8, as a bucket's are, "
            f"{shown(unnamed[0])} first; rename them (convmv -f latin1 -t utf8 -r --notest FOLDER)"
        )
    index = _index(store, prefix)
    if index and index.get("owner") != owner:
        raise HostError(f"{store.address}/{prefix} holds files of {index.get('owner')!r}; name another place")
    known: dict[str, list[str]] = index.get("files", {})
    sizes = {name: (source / name).stat().st_size for name in wanted}
    total = sum(sizes.values())
    changed = [name for name in wanted if known.get(name) != [wanted[name]]]
    done = total - sum(sizes[name] for name in changed)
    # Before anything is sent, the index names the old and the new content: cut short, every file is still known.
    both = known | {name: [*known.get(name, [NOT_THERE]), wanted[name]] for name in changed}
    if changed:
        _write_index(store, prefix, owner, both)

    def send(name: str) -> int:
        store.send(f"{prefix}/{name}", source / name)
        return sizes[name]

    for sent in _at_once(send, changed, cancelled):
        done += sent
        if progress is not None:
            progress(min(done, total), total)
    if local_tree(source, exclude) != wanted:
        raise HostError(
            f"files of {source} changed while they were sent; run it again when nothing writes there"
        )
    _write_index(store, prefix, owner, {name: [digest] for name, digest in wanted.items()})
    for name in known.keys() - wanted.keys():
        store.remove(f"{prefix}/{name}")
    if progress is not None:
        progress(total, total)
    return UploadReceipt(files=len(wanted), bytes=total, sha256=tree_digest(wanted))


def remove_folder(store: ObjectStore, prefix: str, *, owner: str) -> None:
    """Remove what `send_folder` brought; the index goes last, so that a cut is gone on with.

    Raises:
        HostError: it is another stack's.
    """
    index = _index(store, prefix)
    if not index:
        return
    if index.get("owner") != owner:
        raise HostError(
            f"{store.address}/{prefix} holds files of {index.get('owner')!r}; they are left as they are"
        )
    for name in index.get("files", {}):
        store.remove(f"{prefix}/{name}")
    store.remove(f"{prefix}/{INDEX}")


def fetch_folder(
    store: ObjectStore,
    prefix: str,
    target: Path,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Bring home what the index names, each file whole and verified; what is here already is not fetched again.

    Files here that the index does not name are removed: `target` is a copy, and nobody else's.

    Returns:
        Names of the files that are missing there or differ from the index.

    Raises:
        HostError: the store does not answer, or `cancelled` said so.
        RunHomeError: a name leads out of the folder.
    """
    files: dict[str, list[str]] = _index(store, prefix).get("files", {})
    target.mkdir(parents=True, exist_ok=True)
    for name in files:
        if not (target / name).resolve().is_relative_to(target.resolve()):
            raise RunHomeError(f"{store.address}/{prefix} names {shown(name)}, which would leave the folder")
    for name in local_tree(target).keys() - files.keys():
        (target / name).unlink()

    def fetch(name: str) -> str | None:
        path = target / name
        if _is_one_of(path, files[name]):
            return None
        there = store.fetch(f"{prefix}/{name}", path)
        return None if there and _is_one_of(path, files[name]) else name

    return sorted(name for name in _at_once(fetch, files, cancelled) if name is not None)


def is_here(store: ObjectStore, prefix: str, target: Path) -> bool:
    """Whether every file that the index names lies in the folder as it is there; so it is where nothing was ever sent.

    Raises:
        HostError: the store does not answer.
    """
    return all(_is_one_of(target / name, checksums) for name, checksums in read_index(store, prefix).items())


def read_index(store: ObjectStore, prefix: str) -> dict[str, list[str]]:
    """Name to the checksums it may have; empty where nothing was ever sent."""
    files: dict[str, list[str]] = _index(store, prefix).get("files", {})
    return files


def _at_once(
    work: Callable[[str], Any], names: Iterable[str], cancelled: Callable[[], bool]
) -> Iterable[Any]:
    waiting: set[Future[Any]] = set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for name in names:
                if cancelled():
                    raise HostError("cancelled; what has arrived is kept")
                if len(waiting) >= 2 * AT_ONCE:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in done)
                waiting.add(pool.submit(work, name))
            yield from (one.result() for one in waiting)
        finally:
            for one in waiting:
                one.cancel()


def _index(store: ObjectStore, prefix: str) -> dict[str, Any]:
    text = store.get(f"{prefix}/{INDEX}")
    if text is None:
        return {}
    with suppress(ValueError):
        value = json.loads(text)
        if isinstance(value, dict):
            return value
    raise HostError(
        f"{store.address}/{prefix}/{INDEX} is damaged; look at it before anything is written there"
    )


def _write_index(store: ObjectStore, prefix: str, owner: str, files: dict[str, list[str]]) -> None:
    store.put(f"{prefix}/{INDEX}", json.dumps({"owner": owner, "files": files}, indent=1).encode())


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_one_of(path: Path, checksums: Sequence[str]) -> bool:
    return path.is_file() and _sha256(path) in checksums


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
