"""Writing files: whole or absent, with checksums, and one line for the user where the disk refuses."""

import errno
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from app.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

UNFINISHED = ".part"
"""How the names of files end that are being written."""
MOST_LETTERS = 40
"""Of up to four bytes each, where a name may have 255."""
WHAT_TO_DO = {
    errno.ENOSPC: "the disk is full; free some space or give another folder",
    errno.EDQUOT: "the quota is used up; free some space or give another folder",
    errno.EROFS: "the file system is read-only; give another folder",
    errno.EACCES: "no permission to write there; give another folder",
    errno.EPERM: "no permission to write there; give another folder",
    errno.ENOTDIR: "a part of the path is a file; give another folder",
    errno.EEXIST: "a part of the path is a file; give another folder",
    errno.EISDIR: "a folder has that name; give another path",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
}


def output_error(path: Path, error: OSError) -> OutputError:
    """An OSError while writing as one line for the user."""
    advice = WHAT_TO_DO.get(error.errno or 0, f"{error.strerror or error}; check the path")
    return OutputError(f"cannot write {path}: {advice}")


class _Watched(io.BufferedWriter):
    """Remembers why a write failed: torch.save answers a full disk with a RuntimeError about positions."""

    failure: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole and on the disk.

    Raises:
        OutputError: it cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_hidden(path), suffix=UNFINISHED)
    except OSError as error:
        raise output_error(path, error) from error
    temporary = Path(name)
    stream = _Watched(io.FileIO(handle, "wb"))
    try:
        yield stream
        _finish(stream, temporary, path)
    except Exception as error:
        if stream.failure is not None:
            raise output_error(path, stream.failure) from error
        raise
    finally:
        with suppress(OSError):  # closing flushes once more, onto the same full disk
            stream.close()
        temporary.unlink(missing_ok=True)


def _hidden(path: Path) -> str:
    """How the name begins under which it is written: short enough for what follows, whatever its letters take."""
    return f".{path.name[:MOST_LETTERS]}."


def _finish(stream: _Watched, temporary: Path, path: Path) -> None:
    try:
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
        # mkstemp makes 0600; a result has the permissions that any new file of this user has.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error) from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Put a rename on the disk; Windows cannot open folders and needs no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, whose files come to `path` together once all of them are written.

    A new folder appears by one rename. In one that is there already, each file replaces its namesake and the
    others stay: it may be a folder in which the user keeps more than our results.

    Raises:
        OutputError: it cannot be written; `path` is as it was.
    """
    staging: Path | None = None
    try:
        new = not path.exists()
        home = path.parent if new else path
        home.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=home, prefix=_hidden(path), suffix=UNFINISHED))
        yield staging
        if new:
            staging.chmod(0o777 & ~_umask())
            staging.replace(path)
        else:
            _move_into(staging, path)
        _sync_folder(path)
    except OSError as error:
        raise output_error(path, error) from error
    except OutputError as error:  # the user knows nothing of the staging folder
        raise OutputError(str(error).replace(str(staging), str(path))) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)


def _move_into(staging: Path, path: Path) -> None:
    for source in sorted(p for p in staging.rglob("*") if p.is_file()):
        target = path / source.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically."""
    with atomic_write(path) as stream:
        stream.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN is refused (ValueError), since other programs cannot read it."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def require_writable(folder: Path) -> None:
    """Fail before the work rather than after it; makes the folder if there is none.

    Raises:
        OutputError: a file cannot be made there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise output_error(folder, error) from error


def require_writable_file(path: Path) -> None:
    """The same for one file that is still to be written.

    Raises:
        OutputError: a folder has its name, or no file can be made beside it.
    """
    if path.is_dir():
        raise output_error(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    require_writable(path.parent)
