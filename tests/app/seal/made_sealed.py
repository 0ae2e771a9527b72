"""Sealed folders made here, as the machine at home makes them."""

from pathlib import Path

import pyrage

from app.seal.folder import Index, Mark, SealedFile, stored, write_index
from app.seal.key import SealKey
from app.storage import sha256_file


def new_key() -> SealKey:
    """A key of its own."""
    return SealKey(str(pyrage.x25519.Identity.generate()))


def seal_folder(source: Path, sealed: Path, key: SealKey) -> Mark:
    """The sealed form of a folder."""
    files = {}
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        name, digest = path.relative_to(source).as_posix(), sha256_file(path)
        files[name] = SealedFile(sha256=digest, bytes=path.stat().st_size, sealed=key.name_of(name, digest))
        key.seal_file(path, stored(sealed, files[name].sealed))
    return write_index(sealed, Index(owner="data", files=files), key, generation=1)


def flip_a_bit(path: Path, at: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
