"""A sealed folder: sealed.json (clear: which key, how much), sealed/NAME.age (everything else), an index among these.

    sealed.json   {"version", "key": fingerprint, "index": name, "files", "bytes" (unsealed), "generation"}
    the index     {"owner", "files": {path: {"sha256", "bytes", "sealed": name}}}

The index's name is computed with the key from its content, so that nobody without the key can put another in its
place. sealed.json is written last and at once: whatever is cut short before leaves the folder as it was.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from app.errors import SealError
from app.seal.key import SealKey
from app.storage import UNFINISHED, atomic_write, write_json

VERSION = 1
MARK = "sealed.json"
STORE = "sealed"
SUFFIX = ".age"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What anybody can read of a sealed folder."""

    version: int
    key: str
    """Fingerprint of the key."""
    index: str
    """Name of the sealed index."""
    files: int
    bytes: int
    """Of all files, unsealed."""
    generation: int
    """Counts the states of a folder that changes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedFile:
    """One file of the index."""

    sha256: str
    bytes: int
    sealed: str
    """Its name in the store."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """What is in a sealed folder."""

    owner: str
    files: dict[str, SealedFile]


def read_mark(folder: Path) -> Mark | None:
    """The mark of a sealed folder; None of any other.

    Raises:
        SealError: it is damaged, or of another version.
    """
    path = folder / MARK
    if not path.is_file():
        return None
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SealError(f"{path} cannot be read ({type(error).__name__}); seal the folder again") from error
    return parse_mark(text, str(path))


def parse_mark(text: str, name: str) -> Mark:
    """The mark from its text; see `read_mark`."""
    try:
        values = json.loads(text)
        if values["version"] != VERSION:
            raise SealError(f"{name} has version {values['version']}, this program reads {VERSION}")
        return Mark(**values)
    except (ValueError, KeyError, TypeError) as error:
        raise SealError(f"{name} is damaged ({type(error).__name__}); seal the folder again") from error


def read_index(folder: Path, mark: Mark, key: SealKey) -> Index:
    """The index of a sealed folder.

    Raises:
        SealError: it was sealed for another key, or is damaged.
    """
    if mark.key != key.fingerprint:
        raise SealError(
            f"{folder} is sealed for another key than the one given; use the key of the stack that sealed it"
        )
    path = stored(folder, mark.index)
    if not path.is_file():
        raise SealError(f"{path} is missing: {folder} is not whole")
    data = key.unseal_bytes(path)
    if key.name_of("index", data.decode(errors="replace")) != mark.index:
        raise SealError(f"{path} is not the index that the key's owner wrote")
    values = json.loads(data)
    return Index(
        owner=values["owner"],
        files={_inside(path): SealedFile(**told) for path, told in values["files"].items()},
    )


def write_index(folder: Path, index: Index, key: SealKey, *, generation: int) -> Mark:
    """Seal the index, then put the mark in place: from here on the folder is what the index says."""
    text = json.dumps(asdict(index), sort_keys=True)
    name = key.name_of("index", text)
    if not stored(folder, name).is_file():
        with atomic_write(stored(folder, name)) as stream:
            stream.write(key.seal_bytes(text.encode()))
    mark = Mark(
        version=VERSION,
        key=key.fingerprint,
        index=name,
        files=len(index.files),
        bytes=sum(file.bytes for file in index.files.values()),
        generation=generation,
    )
    write_json(folder / MARK, asdict(mark))
    return mark


def stored(folder: Path, name: str) -> Path:
    """Where a sealed file lies."""
    return folder / STORE / f"{name}{SUFFIX}"


def sweep(folder: Path, mark: Mark, index: Index) -> None:
    """Remove what the index no longer names, and what a process that was killed left half-written."""
    kept = {f"{name}{SUFFIX}" for name in (mark.index, *(file.sealed for file in index.files.values()))}
    for path in (folder / STORE).iterdir():
        if path.name not in kept and path.suffix in (SUFFIX, UNFINISHED):
            path.unlink(missing_ok=True)


def unseal(folder: Path, path: str, file: SealedFile, key: SealKey, target: Path) -> None:
    """Open one file of the index into `target`.

    Raises:
        SealError: it is missing, cut, changed, or not what the index says.
        OutputError: the place for `target` does not take it.
    """
    source = stored(folder, file.sealed)
    if not source.is_file():
        raise SealError(f"{source} ({path}) is missing: {folder} is not whole")
    key.unseal_file(source, target, sha256=file.sha256)


def _inside(path: str) -> str:
    """Paths come from a folder of our own; one that leads out of it is none of ours."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise SealError(f"the sealed index names {path!r}, which would leave the folder")
    return path
