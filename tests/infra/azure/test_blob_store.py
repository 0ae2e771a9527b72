"""A container as a store: what Azure refuses as one line, and nothing half written, there or here."""

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import ContainerClient

from infra.azure.blob_store import BlobStore, account_address
from infra.azure.errors import AccountError, AzureError
from infra.buckets.store import open_store
from infra.errors import HostError
from tests.infra.azure.azurite import Azurite, Tokens

PART_BYTES = 2**20


@pytest.fixture
def store(azurite_tls: Azurite, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    monkeypatch.setattr("infra.azure.account.credential", Tokens)
    monkeypatch.setattr("infra.azure.blob_store.PART_BYTES", PART_BYTES)
    monkeypatch.setenv("SONARSTACK_BLOB_URL", azurite_tls.address)
    return BlobStore(azurite_tls.account, "runs")


Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], BlobStore]]:
    """A store whose service answers as the test says."""
    servers: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> BlobStore:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            do_GET = do_PUT = do_DELETE = lambda self: answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = ContainerClient(f"http://127.0.0.1:{server.server_port}/acct", "runs", retry_total=0)
        return BlobStore("acct", "runs", client=client)

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def refusing(status: int, code: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()
        request.send_response(status)
        request.send_header("x-ms-error-code", code)
        request.send_header("Content-Type", "application/xml")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (403, "AuthorizationFailure", AccountError, "it has changed; run `up` again, or `az storage account net"),
        (403, "AuthorizationPermissionMismatch", AccountError, "have the role Storage Blob Data Contributor"),
        (401, "InvalidAuthenticationInfo", AccountError, "does not know you .*az login"),
        (403, "AuthenticationFailed", AccountError, "does not know you .*az login"),
        (404, "ContainerNotFound", AzureError, "has no container runs"),
        (404, "ResourceNotFound", AzureError, "has no container runs"),
        (409, "BlobImmutableDueToPolicy", AzureError, "refuses .*BlobImmutableDueToPolicy, HTTP 409"),
    ],
)  # fmt: skip
def test_what_azure_refuses_is_one_line_that_says_what_to_do(
    answering: Callable[[Answer], BlobStore], status: int, code: str, kind: type[AzureError], says: str
) -> None:
    store = answering(refusing(status, code))
    for ask in (
        lambda: store.get("x"), lambda: store.put("x", b""), lambda: list(store.keys("")),
        lambda: store.remove("x"), lambda: store.fetch("x", Path(os.devnull).parent / "shm" / "x"),
    ):  # fmt: skip
        with pytest.raises(kind, match=says) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert "acct" in str(caught.value) or "az://runs" in str(caught.value)


def test_a_download_that_is_cut_leaves_nothing(
    answering: Callable[[Answer], BlobStore], tmp_path: Path
) -> None:
    def half(request: BaseHTTPRequestHandler) -> None:
        request.send_response(206)
        for name, value in {
            "Content-Length": "1000", "Content-Range": "bytes 0-999/1000", "ETag": '"1"',
            "Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT", "x-ms-blob-type": "BlockBlob",
        }.items():  # fmt: skip
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(b"x" * 300)
        request.close_connection = True

    (tmp_path / "log").write_bytes(b"older")
    with pytest.raises(AzureError, match=r"not moved whole|does not answer"):
        answering(half).fetch("log", tmp_path / "log")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"log": b"older"}


def test_an_upload_that_is_cut_in_its_parts_leaves_the_blob_as_it_was(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "big"
    source.write_bytes(os.urandom(1 << 16) * 48)
    assert source.stat().st_size == 3 * PART_BYTES
    store.put("big", b"older")
    from azure.storage.blob._generated.operations import BlockBlobOperations

    with monkeypatch.context() as patch:
        # All parts are there, what joins them never comes.
        patch.setattr(BlockBlobOperations, "commit_block_list", _cut)
        with pytest.raises(HostError, match="az://runs/big"):
            store.send("big", source)
    assert store.get("big") == b"older"
    store.send("big", source)
    assert store.fetch("big", tmp_path / "home")
    assert (tmp_path / "home").read_bytes() == source.read_bytes()


def _cut(*_: Any, **__: Any) -> None:
    raise ConnectionResetError(104, "Connection reset by peer")


def test_nobody_logged_in_and_nobody_there_are_told_apart(
    azurite_tls: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nobody:
        asked = 0

        def get_token(self, *_: str, **__: Any) -> Any:
            Nobody.asked += 1
            raise ClientAuthenticationError("DefaultAzureCredential failed:\nmany\nlines, s3cret")

    monkeypatch.setenv("SONARSTACK_BLOB_URL", azurite_tls.address)
    monkeypatch.setattr("infra.azure.account.credential", Nobody)
    with pytest.raises(AccountError, match=r"knows no log-in of yours .*az login") as caught:
        BlobStore(azurite_tls.account, "runs").get("x")
    assert "s3cret" not in str(caught.value)
    assert Nobody.asked == 1
    client = ContainerClient("http://127.0.0.1:9/acct", "runs", retry_total=0)
    with pytest.raises(AccountError, match="acct does not answer"):
        BlobStore("acct", "runs", client=client).get("x")


def test_empty_blobs_names_with_spaces_and_removed_ones(store: BlobStore, tmp_path: Path) -> None:
    store.put("a/b c ü%20.txt", b"")
    assert store.get("a/b c ü%20.txt") == b""
    assert store.get("a/b c ü%20.txt", 5) == b""
    assert store.fetch("a/b c ü%20.txt", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b""
    assert list(store.keys("a/")) == ["a/b c ü%20.txt"]
    store.remove("a/b c ü%20.txt")
    store.remove("a/b c ü%20.txt")
    assert list(store.keys("")) == []


def test_a_log_that_grows_is_read_as_far_as_it_was(
    azurite_tls: Azurite, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = os.urandom(5 * 2**19)
    log = azurite_tls.service().get_blob_client("runs", "job.log")
    log.create_append_blob()
    log.append_block(text)
    other = azurite_tls.service().get_blob_client("runs", "index.json")
    other.upload_blob(text)
    from azure.storage.blob._generated.operations import BlobOperations

    real, seen = BlobOperations.download, []

    def growing(self: BlobOperations, *words: Any, **more: Any) -> Any:
        """Between the first part and the second."""
        seen.append(more)
        if len(seen) == 2:
            log.append_block(b"more")
            other.upload_blob(b"other", overwrite=True)
        return real(self, *words, **more)

    for key, offset in (("job.log", 0), ("job.log", 7)):
        seen.clear()
        with monkeypatch.context() as patch:
            patch.setattr(BlobOperations, "download", growing)
            found = store.get(key, offset)
        assert found is not None
        assert len(seen) > 2
        assert found[: len(text) - offset] == text[offset:]
        assert set(found[len(text) - offset :]) <= set(b"more")
    seen.clear()
    other.upload_blob(text, overwrite=True)
    monkeypatch.setattr(BlobOperations, "download", growing)
    with pytest.raises(AzureError, match="anew while it was read"):
        store.get("index.json")


def test_an_output_opens_it_and_addresses_follow_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.azure.account.credential", Tokens)
    opened = open_store({"bucket": "az://runs", "account": "acct", "owner": "me"})
    assert isinstance(opened, BlobStore)
    assert (opened.account, opened.address) == ("acct", "az://runs")
    with pytest.raises(HostError, match="az://CONTAINER with its account"):
        open_store({"bucket": "az://runs"})
    assert account_address("acct") == "https://acct.blob.core.windows.net"
    monkeypatch.setenv("SONARSTACK_BLOB_URL", "https://{account}.blob.core.chinacloudapi.cn/")
    assert account_address("acct") == "https://acct.blob.core.chinacloudapi.cn"
