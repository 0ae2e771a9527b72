"""A bucket in the place of a machine: runs lie there, and can be read; nothing can be run."""

from collections.abc import Sequence
from typing import Any

from infra.buckets.store import ObjectStore
from infra.errors import HostError
from infra.hosts.host import Completed


class BucketHost:
    """See `infra.hosts.host.Host`; paths are keys."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    @property
    def address(self) -> str:
        """Such as s3://bucket."""
        return self.store.address

    def run(self, argv: Sequence[str], **_: Any) -> Completed:
        """Raises HostError, always."""
        raise HostError(f"{self.address} is a bucket; {argv[0]} cannot be run there")

    def read(self, path: str, offset: int = 0) -> bytes | None:
        """See `Host.read`."""
        return self.store.get(path, offset)
