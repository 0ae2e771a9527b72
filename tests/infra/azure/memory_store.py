"""A container in memory, for tests that are not about the storage."""

from collections.abc import Iterator
from pathlib import Path


class MemoryStore:
    """See `infra.buckets.store.ObjectStore`."""

    address = "az://runs"

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def get(self, key: str, offset: int = 0) -> bytes | None:
        found = self.blobs.get(key)
        return None if found is None else found[offset:]

    def put(self, key: str, data: bytes) -> None:
        self.blobs[key] = data

    def send(self, key: str, source: Path) -> None:
        self.blobs[key] = source.read_bytes()

    def fetch(self, key: str, target: Path) -> bool:
        if key not in self.blobs:
            return False
        target.write_bytes(self.blobs[key])
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        yield from (key for key in list(self.blobs) if key.startswith(prefix))

    def remove(self, key: str) -> None:
        self.blobs.pop(key, None)
