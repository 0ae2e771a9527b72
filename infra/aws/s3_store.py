"""A bucket of S3, by boto3."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from infra.aws.errors import AwsError
from infra.aws.refusal import asked
from infra.errors import HostError

T = TypeVar("T")
PART_BYTES = 16 * 2**20


class S3Store:
    """See `infra.buckets.store.ObjectStore`. Objects are encrypted by the bucket's own default."""

    def __init__(self, bucket: str, *, region: str | None = None, client: Any = None) -> None:
        """`client` instead of one by the user's own credentials."""
        from infra.aws.account import client as open_client

        self.bucket = bucket
        self._client = client or open_client("s3", region)

    @property
    def address(self) -> str:
        """s3://bucket."""
        return f"s3://{self.bucket}"

    def get(self, key: str, offset: int = 0) -> bytes | None:
        """See `ObjectStore.get`."""
        from botocore.exceptions import ClientError

        ranged = {"Range": f"bytes={offset}-"} if offset else {}

        def read() -> bytes | None:
            try:
                return bytes(self._client.get_object(Bucket=self.bucket, Key=key, **ranged)["Body"].read())
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in ("NoSuchKey", "404"):
                    return None
                if code in ("InvalidRange", "416"):
                    return b""  # nothing was added since
                raise

        return self._asked(read, key)

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore.put`."""
        self._asked(lambda: self._client.put_object(Bucket=self.bucket, Key=key, Body=data), key)

    def send(self, key: str, source: Path) -> None:
        """See `ObjectStore.send`; the SDK sends a checksum with every part."""
        self._asked(
            lambda: self._client.upload_file(
                str(source), self.bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=_transfer()
            ),
            key,
        )

    def fetch(self, key: str, target: Path) -> bool:
        """See `ObjectStore.fetch`."""
        from botocore.exceptions import ClientError

        target.parent.mkdir(parents=True, exist_ok=True)

        def read() -> bool:
            with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
                path = Path(part.name)
            try:
                self._client.download_file(self.bucket, key, str(path), Config=_transfer())
                path.replace(target)
                return True
            except ClientError as error:
                if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    return False
                raise
            finally:
                path.unlink(missing_ok=True)

        return self._asked(read, key)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.keys`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in self._asked(lambda: list(pages), prefix):
            yield from (str(one["Key"]) for one in page.get("Contents", ()))

    def remove(self, key: str) -> None:
        """See `ObjectStore.remove`; the bucket keeps older versions for as long as its rules say."""
        self._asked(lambda: self._client.delete_object(Bucket=self.bucket, Key=key), key)

    def _asked(self, ask: Callable[[], T], key: str) -> T:
        from boto3.exceptions import S3TransferFailedError, S3UploadFailedError

        try:
            return asked(ask, f"{self.address}/{key}")
        except (S3UploadFailedError, S3TransferFailedError) as error:
            raise AwsError(
                f"{self.address}/{key} was not moved whole; check the network, and try again"
            ) from error
        except OSError as error:
            raise HostError(f"{self.address}/{key}: {error.strerror or error}") from error


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=4)
