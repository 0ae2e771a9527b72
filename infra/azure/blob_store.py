"""A container of an Azure storage account, by azure-storage-blob."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from infra.azure.account import LOG_IN
from infra.azure.errors import AccountError, AzureError
from infra.azure.new_rights import Patience
from infra.errors import HostError

T = TypeVar("T")
PART_BYTES = 16 * 2**20
ADDRESS = "https://{account}.blob.core.windows.net"
CONNECT_S, READ_S, TRIES = 20, 60, 4
MISSING_ROLE = "AuthorizationPermissionMismatch"
FIREWALL = ("AuthorizationFailure", "IPAuthorizationError")
"""What the account's network rules answer.

Source: Azure storage, common REST API error codes, and the troubleshooting page of blob's 403 answers, 2026-11.
"""
UNKNOWN = ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation")
ROLE = "Storage Blob Data Contributor"


def account_address(account: str) -> str:
    """Of its blobs; other clouds than the public one say theirs in SONARSTACK_BLOB_URL, with {account} in it."""
    return (os.environ.get("SONARSTACK_BLOB_URL") or ADDRESS).replace("{account}", account).rstrip("/")


class BlobStore:
    """See `infra.buckets.store.ObjectStore`. Blobs are encrypted by the account's own key."""

    def __init__(
        self, account: str, container: str, *, client: Any = None, patience: Patience | None = None
    ) -> None:
        """
        Args:
            client: a ContainerClient, instead of one by the user's own credentials.
            patience: with a role and a rule of the network that were made just now; none if not given.
        """
        self.account, self.container = account, container
        self._patience = patience or Patience(0.0)
        self._client = client or _open(account, container)

    @property
    def address(self) -> str:
        """az://container, of which every account may have one."""
        return f"az://{self.container}"

    def get(self, key: str, offset: int = 0) -> bytes | None:
        """See `ObjectStore.get`."""
        from azure.core.exceptions import HttpResponseError, ResourceModifiedError

        def read() -> bytes:
            try:
                return bytes(self._client.download_blob(key, offset=offset or None).readall())
            except ResourceModifiedError:
                # A log that grows: what is there already stays as it is.
                if self._client.get_blob_client(key).get_blob_properties().blob_type != "AppendBlob":
                    raise
                return self._by_parts(key, offset)
            except HttpResponseError as error:
                if offset and error.status_code == 416:
                    return b""  # nothing was added since
                raise

        return self._asked(read, key, missing=None)

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore.put`; one request, or parts that are joined by one."""
        self._asked(lambda: self._client.upload_blob(key, data, overwrite=True, validate_content=True), key)

    def send(self, key: str, source: Path) -> None:
        """See `ObjectStore.send`; every part goes with its checksum, and the blob appears when all are there."""

        def write() -> None:
            with source.open("rb") as stream:
                self._client.upload_blob(
                    key,
                    stream,
                    length=source.stat().st_size,
                    overwrite=True,
                    validate_content=True,
                    max_concurrency=4,
                )

        self._asked(write, key)

    def fetch(self, key: str, target: Path) -> bool:
        """See `ObjectStore.fetch`."""
        target.parent.mkdir(parents=True, exist_ok=True)

        def read() -> bool:
            with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".part", delete=False) as part:
                path = Path(part.name)
                try:
                    self._client.download_blob(key, validate_content=True, max_concurrency=4).readinto(part)
                    part.flush()
                    path.replace(target)
                    return True
                finally:
                    path.unlink(missing_ok=True)

        return self._asked(read, key, missing=False)

    def keys(self, prefix: str) -> Iterator[str]:
        """See `ObjectStore.keys`."""
        names = self._asked(
            lambda: list(self._client.list_blob_names(name_starts_with=prefix or None)), prefix
        )
        yield from (str(name) for name in names)

    def remove(self, key: str) -> None:
        """See `ObjectStore.remove`; the account keeps older versions for as long as its rules say."""
        self._asked(lambda: self._client.delete_blob(key), key, missing=None)

    def _by_parts(self, key: str, offset: int) -> bytes:
        """Each part by itself, to where it ended when this began."""
        end = int(self._client.get_blob_client(key).get_blob_properties().size)
        read = bytearray()
        for start in range(offset, end, PART_BYTES):
            length = min(PART_BYTES, end - start)
            read += self._client.download_blob(key, offset=start, length=length).readall()
        return bytes(read)

    def _asked(self, ask: Callable[[], T], key: str, *, missing: Any = ...) -> T:
        """The answer; `missing` where there is no such blob, if that is given.

        Raises:
            AzureError: Azure refuses, or does not answer.
            HostError: this machine's own disk.
        """
        from azure.core import exceptions as told

        what = f"{self.address}/{key}"
        try:
            return self._patience.ask(ask, _is_new_right)
        except told.ResourceNotFoundError as error:
            if missing is not ... and _code(error) == "BlobNotFound":
                return missing  # type: ignore[no-any-return]
            raise AzureError(
                f"{what}: the account {self.account} has no container {self.container} "
                f"({_code(error)}); run `up`, or check the name"
            ) from error
        except told.ResourceModifiedError as error:
            raise AzureError(f"{what} was written anew while it was read; try again") from error
        except told.ClientAuthenticationError as error:
            raise self._refusal(what, error) from error
        except told.HttpResponseError as error:
            # Without a status it is no answer, but one that was cut.
            raise (self._refusal(what, error) if error.status_code else self._cut(what, error)) from error
        except (told.ServiceRequestError, told.ServiceResponseError) as error:
            raise AccountError(
                f"{self.account} does not answer about {what} ({type(error).__name__}); check the network and the "
                "account's name"
            ) from error
        except told.AzureError as error:
            raise self._cut(what, error) from error
        except OSError as error:
            raise HostError(f"{what}: {error.strerror or error}") from error

    def _cut(self, what: str, error: Exception) -> AzureError:
        return AzureError(
            f"{what} was not moved whole ({type(error).__name__}); check the network, and try again"
        )

    def _refusal(self, what: str, error: Any) -> AzureError:
        code = _code(error)
        if code in FIREWALL:
            return AccountError(
                f"the account {self.account} does not let your address in to {what} ({code}): it has changed; run "
                f"`up` again, or `az storage account network-rule add --account-name {self.account} "
                "--ip-address ADDRESS`"
            )
        if code in UNKNOWN or error.status_code == 401:
            return AccountError(f"Azure does not know you at {what} ({code}); {LOG_IN}")
        if error.status_code == 403:
            return AccountError(
                f"you may not ask for {what} ({code}); have the role {ROLE} on container {self.container}"
            )
        return AzureError(f"Azure refuses {what} ({code}, HTTP {error.status_code})")


class _LogIn:
    """The user's own log-in, asked once: the SDK would try it again for half a minute, and `az` each time."""

    def __init__(self) -> None:
        from infra.azure.account import credential

        self._credential = credential()

    def get_token(self, *scopes: str, **more: Any) -> Any:
        """As the SDK asks it.

        Raises:
            AccountError: nobody is logged in, or the log-in has expired.
        """
        from azure.core.exceptions import ClientAuthenticationError

        try:
            return self._credential.get_token(*scopes, **more)
        except ClientAuthenticationError as error:
            raise AccountError(f"Azure knows no log-in of yours ({type(error).__name__}); {LOG_IN}") from None


def _code(error: Any) -> str:
    """The service's own word, where there is one."""
    code = getattr(error, "error_code", None) or type(error).__name__
    return str(getattr(code, "value", code))


def _is_new_right(error: Exception) -> bool:
    return getattr(error, "status_code", None) == 403 and _code(error) in (*FIREWALL, MISSING_ROLE)


def _open(account: str, container: str) -> Any:
    from azure.storage.blob import ContainerClient, ExponentialRetry

    return ContainerClient(
        account_address(account),
        container,
        credential=_LogIn(),
        connection_timeout=CONNECT_S,
        read_timeout=READ_S,
        retry_policy=ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=TRIES),
        max_single_put_size=PART_BYTES,
        max_block_size=PART_BYTES,
        max_single_get_size=PART_BYTES,
    )
