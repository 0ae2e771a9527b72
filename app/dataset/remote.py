"""A data set at an address, brought into a folder of this machine once, and proven whole.

Where the address has the index that our own copies have (app/mirror.py), every file is checked by its SHA-256. Without
one, by its size, and by the MD5 that Google's and Azure's stores tell; S3's own checksums are checked by its SDK while
it reads, where the object has one.
"""

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from app.errors import DatasetError
from app.far_store import open_store
from app.mirror import INDEX
from app.storage import UNFINISHED, output_error, sha256_file, write_json
from app.telemetry.progress import Progress

CACHE = Path.home() / ".cache" / "sonarstack" / "data"
STATE = "fetched.json"
AT_ONCE = 8
"""Small files wait for the network, not for this machine."""
MIB = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class FarFile:
    """One file at the address."""

    path: str
    """As its store names it."""
    size: int
    mark: str
    """What changes when the content does: a checksum, or the store's own tag."""
    sha256: tuple[str, ...] = ()
    """Any of them is right; two while a copy was cut short."""
    md5: str = ""


def is_address(data: str) -> bool:
    """Whether this is s3:// or the like, and no path."""
    return "://" in data


def local_data(data: str, progress: Progress, *, cache: Path = CACHE) -> Path:
    """The folder itself; of an address, a copy in the cache, brought up to date.

    A second call with nothing new there reads the address's list alone.

    Raises:
        DatasetError: the address cannot be read, is empty, or a file there is damaged.
        OutputError: the cache cannot be written.
    """
    if not is_address(data):
        return Path(data)
    address = data.rstrip("/")
    name = PurePosixPath(address.partition("://")[2]).name
    place = cache / hashlib.sha256(address.encode()).hexdigest()[:12]
    store, root = _open(address)
    try:
        there = _listed(store, root, address)
    except DatasetError:
        raise
    except Exception as error:  # each cloud's package has exceptions of its own
        raise _unreadable(address, error) from error
    if not there:
        raise DatasetError(f"{address} holds no files; give the address of a folder of labelled tiles")
    folder = place / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            _bring(store, there, folder, place / STATE, address, progress)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


def _open(address: str) -> tuple[Any, str]:
    try:
        return open_store(address)
    except ValueError as error:
        raise DatasetError(f"cannot read {address}: {error}") from error


def _listed(store: Any, root: str, address: str) -> dict[str, FarFile]:
    """By path below the address, in order."""
    found: dict[str, dict[str, Any]] = store.find(root, detail=True)
    infos = {path[len(root) :].lstrip("/"): info for path, info in sorted(found.items())}
    index = infos.pop(INDEX, None)
    for name in infos:
        if ".." in PurePosixPath(name).parts:
            raise DatasetError(f"{address}/{name} would leave the folder; rename it")
    if index is None:
        return {name: _by_store(info) for name, info in infos.items() if not name.endswith("/")}
    told: dict[str, list[str]] = json.loads(store.cat_file(f"{root}/{INDEX}"))["files"]
    missing = [name for name in told if name not in infos]
    if missing:
        raise DatasetError(
            f"{address} lacks {len(missing)} files of its index, such as {missing[0]}; send the data set again"
        )
    return {
        name: FarFile(
            path=f"{root}/{name}",
            size=int(infos[name]["size"]),
            mark=" ".join(digests),
            sha256=tuple(digests),
        )
        for name, digests in told.items()
    }


def _by_store(info: dict[str, Any]) -> FarFile:
    """Source: listings of gcsfs (`md5Hash`, `generation`), adlfs (`content_settings`, `etag`), s3fs (`ETag`)."""
    md5 = ""
    if info.get("md5Hash"):
        md5 = base64.b64decode(info["md5Hash"]).hex()
    elif (azure := getattr(info.get("content_settings"), "content_md5", None)) is not None:
        md5 = bytes(azure).hex()
    tag = md5 or info.get("ETag") or info.get("etag") or info.get("generation") or info.get("mtime") or ""
    return FarFile(path=info["name"], size=int(info["size"]), mark=f"{info['size']} {tag}", md5=md5)


def _bring(
    store: Any, there: dict[str, FarFile], folder: Path, state: Path, address: str, progress: Progress
) -> None:
    known = _known(state)
    kept = {
        n: known[n] for n, far in there.items() if n in known and known[n] == _stamp(folder / n, far.mark)
    }
    wanted = {name: far for name, far in there.items() if name not in kept}
    _remove_others(folder, there)
    if not wanted:
        return
    progress.start("fetching data", sum(far.size for far in wanted.values()) / MIB)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
    try:
        coming = {pool.submit(_fetch, store, far, folder / n, address, n): n for n, far in wanted.items()}
        for done in as_completed(coming):
            done.result()
            name = coming[done]
            kept[name] = _stamp(folder / name, wanted[name].mark)
            progress.advance(wanted[name].size / MIB, name)
    finally:
        pool.shutdown(cancel_futures=True)
        write_json(state, kept)  # cut short, the next call goes on from here
        progress.done()


def _fetch(store: Any, far: FarFile, target: Path, address: str, name: str) -> None:
    """One file, whole under its name or not at all."""
    if target.is_file() and far.sha256 and sha256_file(target) in far.sha256:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Its own name and more would be too long where its own just fits.
    part = target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:24]}{UNFINISHED}")
    try:
        try:
            store.get_file(far.path, str(part))
        except OSError as error:
            if error.errno is not None and getattr(error, "filename", None) == str(part):
                raise  # this disk's
            raise _unreadable(f"{address}/{name}", error) from error
        except Exception as error:
            raise _unreadable(f"{address}/{name}", error) from error
        _check(part, far, f"{address}/{name}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _check(part: Path, far: FarFile, name: str) -> None:
    size = part.stat().st_size
    if size != far.size:
        raise DatasetError(f"{name} came with {size} of {far.size} bytes; try again")
    if far.sha256 and sha256_file(part) not in far.sha256:
        raise DatasetError(f"{name} is damaged: its checksum differs from the index; send the data set again")
    if far.md5:
        with part.open("rb") as stream:
            if hashlib.file_digest(stream, "md5").hexdigest() != far.md5:
                raise DatasetError(f"{name} is damaged: its checksum differs; send the data set again")


def _stamp(path: Path, mark: str) -> list[Any]:
    """What must be so for a file here to count as that one there."""
    with contextlib.suppress(FileNotFoundError):
        stat = path.stat()
        return [mark, stat.st_size, stat.st_mtime_ns]
    return []


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One process at a time: of several that train together the first brings the data, the others find it there.

    Where the system has no such locks (Windows), several at a time fetch the same files; each appears whole.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (place / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # let go of when the file is closed, by a crash too
        yield


def _known(state: Path) -> dict[str, list[Any]]:
    try:
        value = json.loads(state.read_text())
    except (FileNotFoundError, ValueError):  # the first time, or a crash of the disk: all is looked at again
        return {}
    return value if isinstance(value, dict) else {}


def _remove_others(folder: Path, there: dict[str, FarFile]) -> None:
    """What is gone at the address would be tiles of this data set here."""
    wanted = {folder / name for name in there}
    for path in [p for p in folder.rglob("*") if p.is_file() and p not in wanted]:
        path.unlink()


def _unreadable(address: str, error: Exception) -> DatasetError:
    line = f"{type(error).__name__} {error}".splitlines()[0]
    return DatasetError(f"cannot read {address}: {line}; check the address, the rights and the network")
