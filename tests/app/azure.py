"""An Azure on loopback for the program: Azurite's blobs by key or by a machine's identity, and what leads there."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.storage import sha256_file
from tests.app.azure_services import AzureServices, azure_services
from tests.app.telemetry.interruption_notices.scheduled_events import (
    CLIENT,
    AzureMetadata,
    azure_metadata_server,
)
from tests.infra.azure.azurite import Azurite, token

OURS = ("AZURE_", "FSSPEC_", "IDENTITY_", "IMDS_", "MSI_")


@dataclass(frozen=True, kw_only=True)
class AzureMachine:
    """What a machine of the stack has: blobs behind HTTPS and tokens, and an address that tells of it."""

    azurite: Azurite
    metadata: AzureMetadata

    def variables(self) -> dict[str, str]:
        """Its environment: no key, no connection string."""
        trusted = str(self.azurite.certificate)
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": self.azurite.account,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": self.metadata.address,
            "FSSPEC_AZ_ACCOUNT_HOST": self.azurite.address.removeprefix("https://"),
            "SSL_CERT_FILE": trusted,
            "REQUESTS_CA_BUNDLE": trusted,
        }


@contextmanager
def azure_machine_of(azurite: Azurite) -> Iterator[AzureMachine]:
    """A machine whose identity may read and write there."""
    with azure_metadata_server() as metadata:
        metadata.token = token()
        yield AzureMachine(azurite=azurite, metadata=metadata)


def without_azure(variables: dict[str, str]) -> dict[str, str]:
    """Without anything of the user's own."""
    return {name: value for name, value in variables.items() if not name.startswith(OURS)}


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No Azure of the user's own, and no store that an earlier test has opened."""
    adlfs = pytest.importorskip("adlfs", reason="needs adlfs: pip install 'sonarstack[cloud]'")
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    adlfs.AzureBlobFileSystem.clear_instance_cache()
    yield
    adlfs.AzureBlobFileSystem.clear_instance_cache()


@pytest.fixture
def azure(nobody: None, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Azurite:
    """Blobs by the account's key."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    return azurite


@pytest.fixture
def azure_machine(
    nobody: None, azurite_tls: Azurite, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AzureMachine]:
    """Blobs by the identity of the machine that this process runs on."""
    import aiohttp.connector
    import fsspec.config

    # aiohttp has made its mind up about certificates when it was imported.
    aiohttp.connector._SSL_CONTEXT_VERIFIED.load_verify_locations(azurite_tls.certificate)
    with azure_machine_of(azurite_tls) as machine:
        for name, value in machine.variables().items():
            monkeypatch.setenv(name, value)
        # fsspec has read its own variables when it was imported.
        conf: dict[str, Any] = {}
        fsspec.config.set_conf_env(conf)
        monkeypatch.setitem(fsspec.config.conf, "az", conf["az"])
        yield machine


@dataclass(frozen=True, kw_only=True)
class Services:
    """Azure's services, and the metadata address that gives tokens for them."""

    there: AzureServices
    metadata: AzureMetadata


@pytest.fixture
def services(nobody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Logs and secrets by the identity of the machine that this process runs on."""
    pytest.importorskip("azure.identity", reason="needs azure-identity: pip install 'sonarstack[cloud]'")
    with azure_services(tmp_path) as there, azure_metadata_server() as metadata:
        monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata.address)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(there.certificate))
        yield Services(there=there, metadata=metadata)


def put_azure_data(azurite: Azurite, folder: Path, prefix: str) -> None:
    """A folder in the container `data` as the stacks send one: its files, and an index with their checksums."""
    client = azurite.service().get_container_client("data")
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    for name, path in files.items():
        client.upload_blob(f"{prefix}/{name}", path.read_bytes(), overwrite=True)
    index = {"owner": "st", "files": {name: [sha256_file(path)] for name, path in files.items()}}
    client.upload_blob(f"{prefix}/mirror.json", json.dumps(index).encode(), overwrite=True)
