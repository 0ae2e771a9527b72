"""Copies of a folder at another address: s3://, gs://, az://, another folder, or anything fsspec opens."""

import hashlib
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from app.errors import OutputError
from app.far_store import open_store
from app.storage import UNFINISHED, atomic_write, sha256_file, write_text

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
INDEX = "mirror.json"
"""File at a mirror that tells the checksums of what lies there."""
OWNER = ".mirror-owner"
"""File in a mirrored folder that tells which mirror is its own."""
NOT_THERE = ""
"""Stands for the old checksum of a file that the mirror did not have before."""


class Mirror:
    """A copy of a local folder at another address, brought up to date file by file.

    The index at the far side names, before a push, the old and the new checksum of each file that will
    change, and afterwards the new one: a push cut short at any moment leaves every file whole and known.
    """

    def __init__(self, local: Path, address: str) -> None:
        """Open the address; nothing is written yet.

        Raises:
            OutputError: see `open_store`; or it is the folder itself, or lies in it.
        """
        self._local = local
        self._address = address.rstrip("/")
        self._digests: dict[str, tuple[tuple[int, int], str]] = {}
        try:
            self._far, self._root = open_store(self._address)
        except ValueError as error:
            raise OutputError(f"cannot mirror to {address}: {error}") from error
        self._is_folder = "file" in _protocols(self._far)
        # Each copy would hold the one before, and the index what it is itself.
        if self._is_folder and Path(self._root).resolve().is_relative_to(local.resolve()):
            raise OutputError(f"cannot mirror {local} to {address}, into itself; give a place outside")
        self._has_folders = OBJECT_STORES.isdisjoint(_protocols(self._far))

    def push(self) -> int:
        """Copy what is new or changed, drop what is gone; the number of files copied.

        Raises:
            OutputError: the address does not take them, or holds the copy of another folder.
        """
        try:
            return self._push()
        except OutputError:
            raise
        except Exception as error:  # each cloud's package has exceptions of its own
            raise self._refused(error) from error

    def _push(self) -> int:
        index = self._index()
        known: dict[str, list[str]] = index.get("files", {})
        owner = self._claim(index)
        now = self._local_digests()
        changed = [name for name in now if known.get(name) != [now[name]]]
        gone = [name for name in known if name not in now]
        if not changed and not gone and index:
            return 0
        both = known | {name: [*known.get(name, [NOT_THERE]), now[name]] for name in changed}
        self._write_index(owner, both)
        for name in changed:
            self._put(name)
        self._write_index(owner, {name: [digest] for name, digest in now.items()})
        for name in gone:
            if self._far.exists(f"{self._root}/{name}"):
                self._far.rm_file(f"{self._root}/{name}")
        return len(changed)

    def _claim(self, index: dict[str, Any]) -> str:
        """Who owns the mirror; refuses to overwrite the copy of another folder."""
        mine = self._local / OWNER
        owner = mine.read_text().strip() if mine.is_file() else uuid.uuid4().hex
        if index and index.get("owner") != owner:
            raise OutputError(
                f"cannot mirror to {self._address}: it holds another run; "
                "resume that one, or give another address"
            )
        if not mine.is_file():
            write_text(mine, owner + "\n")
        return owner

    def _local_digests(self) -> dict[str, str]:
        """Checksums of the local files; computed anew only where size or time changed."""
        found: dict[str, str] = {}
        for path in sorted(self._local.rglob("*")):
            if not path.is_file() or path.name.endswith(UNFINISHED) or path.name == OWNER:
                continue
            name, stat = path.relative_to(self._local).as_posix(), path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            if self._digests.get(name, (None,))[0] != stamp:
                self._digests[name] = (stamp, sha256_file(path))
            found[name] = self._digests[name][1]
        return found

    def _put(self, name: str) -> None:
        """Copy one file, whole or not at all, and check its size there."""
        source, target = self._local / name, f"{self._root}/{name}"
        self._make_folder(target.rsplit("/", 1)[0])
        if self._is_folder:  # object stores show an object only when it is whole; a folder needs the rename
            with source.open("rb") as stream, atomic_write(Path(target)) as copy:
                shutil.copyfileobj(stream, copy)
        else:
            self._far.put_file(str(source), target)
        size = source.stat().st_size
        if self._far.size(target) != size:
            raise OutputError(
                f"{self._address}/{name} has another size than the {size} bytes sent; try again"
            )

    def _make_folder(self, path: str) -> None:
        """Nothing in an object store, where it would ask for the right to make buckets."""
        if self._has_folders:
            self._far.makedirs(path, exist_ok=True)

    def _write_index(self, owner: str, files: dict[str, list[str]]) -> None:
        text = json.dumps({"owner": owner, "files": files}, indent=1).encode()
        self._make_folder(self._root)
        if self._is_folder:
            with atomic_write(Path(self._root) / INDEX) as stream:
                stream.write(text)
        else:
            self._far.pipe_file(f"{self._root}/{INDEX}", text)

    def require_writable(self) -> None:
        """Try the address before the work starts.

        Raises:
            OutputError: a file cannot be made there.
        """
        probe = f"{self._root}/.probe-{uuid.uuid4().hex}"
        try:
            self._make_folder(self._root)
            self._far.pipe_file(probe, b"x")
            self._far.rm_file(probe)
        except Exception as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> OutputError:
        return OutputError(
            f"cannot mirror to {self._address}: {_one_line(error)}; check the address and the rights"
        )

    def _unread(self, error: Exception) -> OutputError:
        return OutputError(
            f"cannot read {self._address}: {_one_line(error)}; check the address and the rights"
        )

    def names(self) -> tuple[str, ...]:
        """Files that lie at the address, as paths relative to the folder; none if nothing was ever mirrored.

        Raises:
            OutputError: the address cannot be read.
        """
        try:
            return tuple(self._index().get("files", {}))
        except Exception as error:
            raise self._unread(error) from error

    def refuse_another(self) -> None:
        """Before what lies in the folder is replaced by what lies at the address.

        Raises:
            OutputError: the address cannot be read, or holds the copy of another folder.
        """
        mine = self._local / OWNER
        try:
            owner = self._index().get("owner")
        except Exception as error:
            raise self._unread(error) from error
        if owner is not None and (not mine.is_file() or mine.read_text().strip() != owner):
            raise OutputError(
                f"{self._address} holds another run than {self._local}; resume that one in a new folder, or give "
                "another address"
            )

    def read(self, name: str) -> bytes | None:
        """One small file at the address, as it lies there; None if there is none.

        Raises:
            OutputError: the address cannot be read.
        """
        try:
            path = f"{self._root}/{name}"
            return bytes(self._far.cat_file(path)) if self._far.exists(path) else None
        except Exception as error:
            raise self._unread(error) from error

    def pull(self) -> tuple[str, ...]:
        """Bring home every file that differs here, verified.

        Returns:
            One line for each file there that is missing or damaged; those are not brought.

        Raises:
            OutputError: the address cannot be read, or this disk not written.
        """
        try:
            index = self._index()
            problems = [self._fetch(name, digests) for name, digests in index.get("files", {}).items()]
        except OutputError:
            raise
        except Exception as error:
            raise self._unread(error) from error
        if index:
            write_text(self._local / OWNER, f"{index['owner']}\n")
        return tuple(p for p in problems if p is not None)

    def _fetch(self, name: str, digests: list[str]) -> str | None:
        target = self._local / name
        if not target.resolve().is_relative_to(self._local.resolve()):
            return f"{self._address}/{name} would leave the folder"
        if target.is_file() and sha256_file(target) in digests:
            return None
        try:
            data: bytes = self._far.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            if NOT_THERE in digests:  # it was on its way when a push was cut
                return None
            return f"{self._address}/{name} is missing"
        if hashlib.sha256(data).hexdigest() not in digests:
            return f"{self._address}/{name} is damaged: its checksum differs"
        with atomic_write(target) as stream:
            stream.write(data)
        return None

    def _index(self) -> dict[str, Any]:
        name = f"{self._root}/{INDEX}"
        if not self._far.exists(name):
            return {}
        index: dict[str, Any] = json.loads(self._far.cat_file(name))
        return index


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__} {error}".splitlines()[0]
