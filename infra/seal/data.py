"""Seals a folder of data before it leaves this machine; what did not change is not sealed, and so not sent, again."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.errors import SealError
from infra.hosts.tree import local_names
from infra.seal.folder import (
    UNFINISHED_MARK,
    Index,
    Mark,
    SealedFile,
    read_mark,
    stored,
    write_index,
)
from infra.seal.key import SUFFIX, SealKey

OWNER = "data"
"""A data folder is nobody's run."""


def seal_data(
    source: Path,
    sealed: Path,
    key: SealKey,
    *,
    exclude: Sequence[str] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Mark:
    """Make `sealed` the sealed form of `source`: the folder to upload.

    Names of files tell things too: in the sealed folder they stand only in its sealed index, and each sealed file is
    called by a keyed hash of its path and content. So the folder is its own cache: age is never the same twice, but a
    file that did not change keeps the sealed form it has.

    Args:
        sealed: a folder of this machine that only this writes to, one for each source; what no longer belongs there
            is removed.

    Raises:
        SealError: there is no data, or `sealed` holds other things.
    """
    if not source.is_dir():
        raise SealError(f"{source} is no folder on this machine; check the path")
    if sealed.exists() and any(sealed.iterdir()) and read_mark(sealed) is None and not _unfinished(sealed):
        raise SealError(f"{sealed} holds other things than sealed data; give another folder")
    names = local_names(source, exclude)
    if not names:
        raise SealError(f"{source} is empty; there is nothing to seal")
    files = {}
    try:
        for name in names:
            if cancelled():
                raise SealError("sealing was cancelled; run it again, what is sealed is kept")
            files[name] = _seal(source / name, name, sealed, key)
        os.sync()  # once for all of them: a wait a file would take minutes for ten thousand
        index = Index(owner=OWNER, files=files)
        mark = write_index(sealed, index, key)
    except OSError as error:
        raise SealError(f"{sealed} cannot be written ({error.strerror or error})") from error
    kept = {mark.index, *(file.sealed for file in files.values())}
    for path in stored(sealed, mark.index).parent.iterdir():
        if path.name.removesuffix(SUFFIX) not in kept:
            path.unlink()
    return mark


def _seal(path: Path, name: str, sealed: Path, key: SealKey) -> SealedFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    file = SealedFile(sha256=digest, bytes=path.stat().st_size, sealed=key.name_of(name, digest))
    there = stored(sealed, file.sealed)
    # After a power cut a file may be there and empty; sealed, it is always longer than open.
    if not there.is_file() or there.stat().st_size <= file.bytes:
        key.seal_file(path, there)
    return file


def _unfinished(sealed: Path) -> bool:
    """Whether all that lies there is what an earlier call left when it was cut short."""
    return {path.name for path in sealed.iterdir()} <= {stored(sealed, "").parent.name, UNFINISHED_MARK}
