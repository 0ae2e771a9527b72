"""The real Azurite on loopback: Azure's blobs as far as it keeps their contract, for SDK, fsspec and our own calls.

Two ways: `azurite` by plain HTTP and the account's key, `azurite_tls` by HTTPS, where bearer tokens are taken too
(Azurite's `--oauth basic`: issuer, audience and times are looked at, the signature is not).
"""

import base64
import ipaddress
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, the same everywhere, in its README."""
CONTAINERS = ("data", "runs")
AUDIENCE = "https://storage.azure.com"
OPTIONS = (
    "--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry",
)  # fmt: skip
STARTS_WITHIN_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Azurite:
    """Where it listens, and what proves who we are."""

    blob_port: int
    certificate: Path | None = None
    """Its own and its authority at once; None by plain HTTP."""
    endpoint: str | None = None
    """Of the account, where the account's name is in the host's, as at Azure."""
    account: str = ACCOUNT
    key: str = field(default=KEY, repr=False)

    @property
    def address(self) -> str:
        """Of the account."""
        return (
            self.endpoint
            or f"http{'s' if self.certificate else ''}://127.0.0.1:{self.blob_port}/{self.account}"
        )

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http{'s' if self.certificate else ''};AccountName={self.account};"
            f"AccountKey={self.key};BlobEndpoint={self.address};"
        )

    def service(self) -> Any:
        """The real SDK's client of the account, by its key."""
        from azure.storage.blob import BlobServiceClient

        more = {"connection_verify": str(self.certificate)} if self.certificate else {}
        return BlobServiceClient.from_connection_string(self.connection_string, retry_total=0, **more)

    def blobs(self, container: str) -> dict[str, bytes]:
        """All that lies there."""
        client = self.service().get_container_client(container)
        return {name: client.download_blob(name).readall() for name in list(client.list_blob_names())}

    def empty(self) -> None:
        """As it was at the start."""
        service = self.service()
        for container in CONTAINERS:
            client = service.get_container_client(container)
            for name in list(client.list_blob_names()):
                client.delete_blob(name)


class Tokens:
    """Azure's credential as the SDKs ask for it; `asked` holds the scopes."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        self.asked += scopes
        return AccessToken(token(), int(time.time()) + 3600)


def token(audience: str = AUDIENCE, *, lives_s: float = 3600.0) -> str:
    """What Azurite takes for one of Entra's."""
    now = int(time.time())
    body = {
        "aud": audience, "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/", "iat": now,
        "nbf": now - 60, "exp": int(now + lives_s), "oid": "machine", "sub": "machine", "ver": "1.0",
    }  # fmt: skip
    words = [{"alg": "RS256", "typ": "JWT"}, body]
    return ".".join(
        [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in words] + ["c2ln"]
    )


def program() -> str | None:
    """Where it is, if anywhere."""
    return os.environ.get("SONARSTACK_AZURITE") or shutil.which("azurite-blob")


def self_signed(folder: Path, hosts: Sequence[str] = ("localhost",)) -> tuple[Path, Path]:
    """A certificate of this machine, and of such names, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    places = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *map(x509.DNSName, hosts)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(places), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "azurite.pem", folder / "azurite-key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return paths


def serve(folder: Path, *, tls: bool) -> Iterator[Azurite]:
    """Run one until the tests are over, with its containers."""
    if program() is None:
        pytest.skip("azurite-blob is not on PATH (npm install azurite), and SONARSTACK_AZURITE names none")
    certificate, key = self_signed(folder) if tls else (None, None)
    process, port = started(folder, certificate, key)
    try:
        azurite = Azurite(blob_port=port, certificate=certificate)
        for container in CONTAINERS:
            azurite.service().create_container(container)
        yield azurite
    finally:
        process.terminate()
        process.wait(timeout=30)


def started(
    folder: Path,
    certificate: Path | None,
    key: Path | None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    account: str = ACCOUNT,
) -> "tuple[subprocess.Popen[bytes], int]":
    """The program, and where it listens."""
    more = ["--blobHost", host, "--blobPort", str(port)]
    if certificate is not None:
        more += ["--oauth", "basic", "--cert", str(certificate), "--key", str(key)]
    said = folder / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            [str(program()), *OPTIONS, *more],
            env=os.environ | {"AZURITE_ACCOUNTS": f"{account}:{KEY}"},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    return process, _port(process, said)


def _port(process: "subprocess.Popen[bytes]", said: Path) -> int:
    """As it says it: it was told to take any that is free."""
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        for line in said.read_text().splitlines():
            if "successfully listens on" in line:
                return int(line.rpartition(":")[2])
        time.sleep(0.05)
    raise AssertionError(f"Azurite does not start: {said.read_text()[-500:]}")


@pytest.fixture(scope="session")
def azurite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """By plain HTTP, for all tests."""
    yield from serve(tmp_path_factory.mktemp("azurite"), tls=False)


@pytest.fixture(scope="session")
def azurite_tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """By HTTPS, for all tests."""
    yield from serve(tmp_path_factory.mktemp("azurite-tls"), tls=True)


@pytest.fixture
def azurite(azurite_server: Azurite) -> Iterator[Azurite]:
    """By plain HTTP, with empty containers."""
    yield azurite_server
    azurite_server.empty()


@pytest.fixture
def azurite_tls(azurite_tls_server: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azurite]:
    """By HTTPS, with empty containers; requests, OpenSSL and curl trust its certificate."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(azurite_tls_server.certificate))
    yield azurite_tls_server
    azurite_tls_server.empty()
