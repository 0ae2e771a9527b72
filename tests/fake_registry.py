"""A registry on loopback that keeps the specification: a challenge, a token or a login, manifests, blobs elsewhere."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

DIGEST = "sha256:" + "a1" * 32
LOGIN = ("me", "planted-password")
BASIC = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()


class Registry(BaseHTTPRequestHandler):
    """Of one image, team/base:1.0; its kind is what a test changes."""

    challenge = "Bearer"
    """None: open to all."""
    private = False
    """Whether only the login gets a token."""
    digest: str | None = DIGEST
    documents: dict[str, dict[str, Any] | list[Any]]
    """Path below /v2/team/base/ to what is answered."""
    moved: str | None = None
    """Blobs lie at this address."""
    asked: list[tuple[str, str, str | None]]
    """Method, path and authorization, of every request."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        if self.path.startswith("/token"):
            assert "scope=repository%3Ateam%2Fbase%3Apull" in self.path
            self._note()
            known = not self.private or self.headers.get("Authorization") == BASIC
            self._send(200 if known else 401, {"token": "anonymous"} if known else {"errors": []})
        else:
            self._answer()

    def _answer(self) -> None:
        self._note()
        given, port = self.headers.get("Authorization"), self.server.server_address[1]
        if self.challenge is not None and given not in ("Bearer anonymous", BASIC):
            told = {
                "Bearer": f'realm="http://127.0.0.1:{port}/token",service="r",scope="repository:team/base:pull"',
                "Basic": 'realm="r"',
            }
            self._send(401, {}, {"WWW-Authenticate": f"{self.challenge} {told[self.challenge]}"})
            return
        assert "image.index" in self.headers["Accept"]
        document = self.documents.get(self.path.removeprefix("/v2/team/base/"))
        if document is None:
            self._send(404, {})
        elif self.moved is not None and "/blobs/" in self.path:
            self._send(307, {}, {"Location": self.moved + self.path})
        else:
            self._send(200, document, {"Docker-Content-Digest": self.digest} if self.digest else {})

    def _note(self) -> None:
        self.asked.append((self.command, self.path, self.headers.get("Authorization")))

    def _send(self, code: int, document: object, headers: dict[str, str] | None = None) -> None:
        body = b"" if self.command == "HEAD" else json.dumps(document).encode()
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...

    @classmethod
    def put(cls, labels: dict[str, str] | None, *, index: bool = True) -> None:
        """An image with these labels, for several platforms or for one."""
        config = {"architecture": "amd64", "config": {} if labels is None else {"Labels": labels}}
        blob = f"sha256:{hashlib.sha256(json.dumps(config).encode()).hexdigest()}"
        manifest = {"schemaVersion": 2, "config": {"digest": blob}, "layers": []}
        cls.documents = {f"blobs/{blob}": config}
        if not index:
            cls.documents["manifests/1.0"] = manifest
            return
        arm, amd = "sha256:" + "b0" * 32, "sha256:" + "b1" * 32
        every = ((arm, "arm64", "linux"), (DIGEST, "unknown", "unknown"), (amd, "amd64", "linux"))
        cls.documents |= {
            "manifests/1.0": {
                "manifests": [{"digest": d, "platform": {"architecture": a, "os": o}} for d, a, o in every]
            },
            f"manifests/{arm}": {"config": {"digest": "sha256:other"}},
            f"manifests/{amd}": manifest,
        }


def serve(**attributes: object) -> Iterator[type[Registry]]:
    """Run one until the test is over."""
    kind = type("One", (Registry,), {"asked": [], "documents": {}, **attributes})
    kind.put({})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    kind.address = f"127.0.0.1:{server.server_address[1]}"
    yield kind
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry() -> Iterator[type[Registry]]:
    """One a test."""
    yield from serve()
