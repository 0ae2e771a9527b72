"""Opening s3://, gs://, az:// or a folder by fsspec, with the credentials that each cloud's package finds by itself.

Azure: adlfs takes the account from AZURE_STORAGE_ACCOUNT_NAME and, where neither a connection string, a key nor a SAS
is set, a DefaultAzureCredential, which on a machine is its identity (of several that of AZURE_CLIENT_ID). Source:
adlfs 2026.8, AzureBlobFileSystem.__init__ and do_connect.
"""

import logging
from typing import Any

AZURE = ("az://", "abfs://", "abfss://")
AZURE_SCOPE = "https://storage.azure.com/.default"
KINDS = "give s3://, gs://, az:// or a folder"


def open_store(address: str) -> tuple[Any, str]:
    """The store, and the address as a path in it, without a slash at its end.

    Raises:
        ValueError: no such kind of address, its package is not installed, or nothing says who asks; one line, with
            what to do.
    """
    import fsspec

    azure = address.startswith(AZURE)
    if azure:
        # Each failed try is a page of text there: ours is one line.
        logging.getLogger("azure").setLevel(logging.CRITICAL)
    try:
        store, root = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise ValueError(f"{error}; pip install 'sonarstack[cloud]'") from error
    except ValueError as error:
        if azure and "account_name" in str(error):
            raise ValueError("nobody says whose account that is; set AZURE_STORAGE_ACCOUNT_NAME") from error
        raise ValueError(f"{error}; {KINDS}") from error
    if azure:
        _require_credential(store)
    return store, str(root).rstrip("/")


def _require_credential(store: Any) -> None:
    """Ask for a token now: without one the store's client would try again and again for more than a minute."""
    from azure.core.exceptions import ClientAuthenticationError

    credential = getattr(store, "sync_credential", None)
    if credential is None:
        return
    try:
        credential.get_token(AZURE_SCOPE)
    except ClientAuthenticationError as error:
        raise ValueError(
            "Azure knows no credentials here; sign in (az login), or give the machine an identity and set "
            "AZURE_CLIENT_ID to its client id"
        ) from error
