"""One door to files: writes that are whole or absent, checksums, and copies of a run elsewhere.

Addresses are local paths or anything fsspec opens: s3://, gs://, az://, memory://.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from app.errors import OutputError

INDEX = "mirror.json"
"""File at a mirror that tells the checksums of what lies there."""
WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full; free some space or give another folder",
    errno.EDQUOT: "the quota is used up; free some space or give another folder",
    errno.EROFS: "the file system is read-only; give another folder",
    errno.EACCES: "no permission to write there; give another folder",
    errno.EPERM: "no permission to write there; give another folder",
    errno.ENOTDIR: "a part of the path is a file; give another folder",
    errno.EISDIR: "a folder has that name; give another path",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
}


def output_error(path: Path, error: OSError) -> OutputError:
    """An OSError while writing as one line for the user."""
    advice = WHAT_TO_DO.get(error.errno or 0, f"{error.strerror or error}; check the path")
    return OutputError(f"cannot write {path}: {advice}")


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole and on the disk.

    Raises:
        OutputError: it cannot be written; nothing is left behind.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes 0600; a result has the permissions that any new file of this user has.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder that is filled beside its place; its files move there together once all are written.

    Files that the folder held before and that are not written anew stay.

    Raises:
        OutputError: it cannot be written; the folder is as it was.
    """
    staging: Path | None = None
    try:
        made = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=path, prefix=".part-"))
        try:
            yield staging
        except BaseException:
            if made:
                shutil.rmtree(path, ignore_errors=True)
            raise
        for source in sorted(p for p in staging.rglob("*") if p.is_file()):
            target = path / source.relative_to(staging)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    with atomic_write(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN is refused, since other programs cannot read it."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_writable(folder: Path) -> None:
    """Fail before the work rather than after it.

    Raises:
        OutputError: a file cannot be made there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise output_error(folder, error) from error


class Mirror:
    """A copy of a local folder at another address, brought up to date file by file.

    The index at the far side is written last, so that a copy cut short is noticed and repeated.
    """

    def __init__(self, local: Path, address: str) -> None:
        import fsspec

        self._local = local
        self._address = address
        self._far, self._root = fsspec.core.url_to_fs(address)

    def push(self) -> int:
        """Copy what is new or changed; the number of files copied.

        Raises:
            OutputError: the address does not take them.
        """
        known = self._index()
        now = {
            p.relative_to(self._local).as_posix(): p
            for p in sorted(self._local.rglob("*"))
            if p.is_file() and not p.name.endswith(".part")
        }
        digests = {name: sha256_file(path) for name, path in now.items()}
        changed = [name for name in now if known.get(name) != digests[name]]
        try:
            for name in changed:
                target = f"{self._root}/{name}"
                self._far.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                self._far.put_file(str(now[name]), target)
            for name in set(known) - set(now):
                if self._far.exists(f"{self._root}/{name}"):
                    self._far.rm_file(f"{self._root}/{name}")
            if changed or set(known) != set(now):
                self._far.makedirs(self._root, exist_ok=True)
                self._far.pipe_file(f"{self._root}/{INDEX}", json.dumps(digests, indent=1).encode())
        except OSError as error:
            raise OutputError(
                f"cannot mirror to {self._address}: {error}; check the address and the rights"
            ) from error
        return len(changed)

    def pull(self) -> int:
        """Bring home what is there and not here, verified; the number of files copied.

        Raises:
            OutputError: a file there is damaged.
        """
        copied = 0
        for name, digest in self._index().items():
            target = self._local / name
            if target.is_file() and sha256_file(target) == digest:
                continue
            data: bytes = self._far.cat_file(f"{self._root}/{name}")
            if hashlib.sha256(data).hexdigest() != digest:
                raise OutputError(
                    f"{self._address}/{name} is damaged: its checksum differs; mirror the run again"
                )
            with atomic_write(target) as stream:
                stream.write(data)
            copied += 1
        return copied

    def _index(self) -> dict[str, str]:
        name = f"{self._root}/{INDEX}"
        if not self._far.exists(name):
            return {}
        index: dict[str, str] = json.loads(self._far.cat_file(name))
        return index
