"""The form of a sealed folder, as app/seal/folder.py describes it: sealed.json in clear, sealed/NAME.age, an index."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from infra.errors import SealError
from infra.seal.key import SUFFIX, SealKey

VERSION = 1
MARK = "sealed.json"
UNFINISHED_MARK = f".{MARK}.part"
"""The mark as it is written, before it takes its place."""
STORE = "sealed"


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


def stored(folder: Path, name: str) -> Path:
    """Where a sealed file lies."""
    return folder / STORE / f"{name}{SUFFIX}"


def read_mark(folder: Path) -> Mark | None:
    """The mark of a sealed folder; None of any other.

    Raises:
        SealError: it is damaged, or of another version.
    """
    path = folder / MARK
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text())
        if values["version"] != VERSION:
            raise SealError(f"{path} has version {values['version']}, this program reads {VERSION}")
        return Mark(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SealError(f"{path} is damaged ({type(error).__name__}); bring the folder home again") from error


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
    data = key.unseal_bytes(path)
    if key.name_of("index", data.decode(errors="replace")) != mark.index:
        raise SealError(f"{path} is not the index that the key's owner wrote")
    values = json.loads(data)
    return Index(
        owner=values["owner"],
        files={_inside(path): SealedFile(**told) for path, told in values["files"].items()},
    )


def write_index(folder: Path, index: Index, key: SealKey) -> Mark:
    """Seal the index, then put the mark in place; an index that is there already is left as it is."""
    text = json.dumps(asdict(index), sort_keys=True)
    name = key.name_of("index", text)
    if not stored(folder, name).is_file():
        key.seal_bytes(text.encode(), stored(folder, name))
    mark = Mark(
        version=VERSION,
        key=key.fingerprint,
        index=name,
        files=len(index.files),
        bytes=sum(file.bytes for file in index.files.values()),
        generation=1,
    )
    if read_mark(folder) != mark:
        unfinished = folder / UNFINISHED_MARK
        unfinished.write_text(json.dumps(asdict(mark), indent=1) + "\n")
        unfinished.replace(folder / MARK)
    return mark


def _inside(path: str) -> str:
    """Paths come from a folder of our own; one that leads out of it is none of ours."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise SealError(f"the sealed index names {path!r}, which would leave the folder")
    return path
