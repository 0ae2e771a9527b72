"""A role or a rule that was made just now is waited for, and nothing else is."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from infra.azure.blob_store import BlobStore
from infra.azure.errors import AccountError
from infra.azure.new_rights import PAUSE_S, Patience
from infra.buckets.store import open_store


class Time:
    """Passes only by waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def pause(self, seconds: float) -> None:
        self.now_s += seconds

    def patience(self, patience_s: float) -> Patience:
        return Patience(patience_s, pause=self.pause, clock=lambda: self.now_s)


class Refusing(ThreadingHTTPServer):
    """A blob service that says no so many times, and then yes."""

    def __init__(self, code: str, times: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.code, self.left, self.written = code, times, b""


class _Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused = self.server.left > 0
        self.server.left -= 1
        self.send_response(403 if refused else 201)
        if refused:
            self.send_header("x-ms-error-code", self.server.code)
        else:
            self.server.written = body
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[list[Refusing]]:
    servers: list[Refusing] = []
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def store(servers: list[Refusing], code: str, times: int, patience: Patience) -> BlobStore:
    server = Refusing(code, times)
    servers.append(server)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    client = ContainerClient(f"http://127.0.0.1:{server.server_port}/acct", "data", retry_total=0)
    return BlobStore("acct", "data", client=client, patience=patience)


@pytest.mark.parametrize("code", ["AuthorizationPermissionMismatch", "AuthorizationFailure"])
def test_what_azure_does_not_know_yet_is_asked_again(refusing: list[Refusing], code: str) -> None:
    time = Time()
    store(refusing, code, 2, time.patience(600)).put("a", b"tile")
    assert refusing[0].written == b"tile"
    assert time.now_s == 2 * PAUSE_S


def test_what_azure_still_does_not_know_at_the_end_is_told(refusing: list[Refusing]) -> None:
    time = Time()
    found = store(refusing, "AuthorizationPermissionMismatch", 1000, time.patience(60))
    with pytest.raises(AccountError, match="have the role"):
        found.put("a", b"tile")
    assert time.now_s == 60
    # The next call does not begin to wait anew.
    with pytest.raises(AccountError):
        found.put("b", b"tile")
    assert time.now_s == 60


def test_other_refusals_and_rights_of_long_ago_are_told_at_once(refusing: list[Refusing]) -> None:
    time = Time()
    with pytest.raises(AccountError, match="does not know you"):
        store(refusing, "AuthenticationFailed", 1, time.patience(600)).put("a", b"")
    with pytest.raises(AccountError, match="have the role"):
        store(refusing, "AuthorizationPermissionMismatch", 1, time.patience(0)).put("a", b"")
    assert time.now_s == 0


def test_an_output_says_how_long_its_store_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr(
        "infra.azure.new_rights.Patience.__init__",
        lambda self, patience_s: seen.append(patience_s),
    )
    monkeypatch.setattr("infra.azure.blob_store._open", lambda account, container: None)
    open_store({"bucket": "az://data", "account": "acct", "patienceS": 600})
    open_store({"bucket": "az://data", "account": "acct"})
    assert seen == [600.0, 0.0]
