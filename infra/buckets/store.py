"""What every object store can be asked, and how one is opened."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from infra.errors import HostError


class ObjectStore(Protocol):
    """One bucket or container. Keys have no leading slash."""

    @property
    def address(self) -> str:
        """Such as s3://bucket."""

    def get(self, key: str, offset: int = 0) -> bytes | None:
        """An object from a byte on; None if it is not there.

        Raises:
            HostError: the store does not answer, or refuses.
        """

    def put(self, key: str, data: bytes) -> None:
        """Write a small object, whole or not at all."""

    def send(self, key: str, source: Path) -> None:
        """Write a file, in parts where it is large; the store checks each against its checksum."""

    def fetch(self, key: str, target: Path) -> bool:
        """Read an object into a file that appears when it is whole; False if it is not there."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin so."""

    def remove(self, key: str) -> None:
        """Fine if it is not there."""


def open_store(where: Mapping[str, Any]) -> ObjectStore:
    """The store that an output such as {"bucket": "s3://name", "region": "us-east-1"} tells of.

    On Azure it is {"bucket": "az://container", "account": "name"}, with "patienceS" where the right to it was given
    a moment ago: so long a refusal may be of yesterday.

    Raises:
        HostError: no such kind of store.
    """
    scheme, _, name = str(where.get("bucket")).partition("://")
    if scheme == "s3" and name:
        from infra.aws.s3_store import S3Store

        return S3Store(name, region=str(where.get("region") or "") or None)
    if scheme == "az" and name and where.get("account"):
        from infra.azure.blob_store import BlobStore
        from infra.azure.new_rights import Patience

        patience = Patience(float(where.get("patienceS") or 0.0))
        return BlobStore(str(where["account"]), name, patience=patience)
    raise HostError(
        f"{where.get('bucket')!r} is no bucket that can be opened; s3://NAME is, and az://CONTAINER with its account"
    )
