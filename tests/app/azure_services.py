"""Azure's Logs Ingestion API and a Key Vault on loopback, by HTTPS, for the real SDKs and a machine's identity."""

import gzip
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.app.served import served
from tests.infra.azure.azurite import self_signed

RULE, STREAM = "dcr-00000000000000000000000000000001", "Custom-Sonarstack_CL"
LONGEST = 1024 * 1024


class AzureServices(ThreadingHTTPServer):
    """What was brought, and what is refused."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.certificate, key = self_signed(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.token = "token"
        self.rows: list[dict[str, Any]] = []
        self.refuses: list[int] = []
        """Answers of the next calls; then all is well."""
        self.refuses_always: int | None = None
        self.longest = LONGEST
        self.calls = 0
        self.secrets: dict[str, str] = {}
        self.challenges = 0

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"

    @property
    def vaults(self) -> str:
        """Whose vault it is, as the SDK checks it: NAME.vault.azure.net is of vault.azure.net; here `127` is a name."""
        return f"https://0.0.1:{self.server_port}"

    @property
    def group(self) -> str:
        """As SONARSTACK_LOG_GROUP has it."""
        return f"{self.address}/dataCollectionRules/{RULE}/streams/{STREAM}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that turns away is what a test wants."""


class Answer(BaseHTTPRequestHandler):
    server: AzureServices
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Source: "Logs Ingestion API in Azure Monitor": 204; 413 above 1 MB, 429 with Retry-After, 403."""
        server = self.server
        server.calls += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = urlsplit(self.path)
        code = server.refuses.pop(0) if server.refuses else server.refuses_always
        if self.headers["Authorization"] != f"Bearer {server.token}":
            code = 401
        elif (
            asked.path != f"/dataCollectionRules/{RULE}/streams/{STREAM}"
            or "api-version=2023-01-01" not in asked.query
        ):
            code = 404
        if code is not None:
            self._answer(code, {"error": {"code": "Refused", "message": "no"}})
            return
        if self.headers["Content-Encoding"] != "gzip" or self.headers["Content-Type"] != "application/json":
            self._answer(400, {"error": {"code": "BadRequest", "message": "gzip of JSON is wanted"}})
            return
        text = gzip.decompress(body)
        if len(text) > server.longest:
            self._answer(413, {"error": {"code": "ContentLengthLimitExceeded", "message": "too long"}})
            return
        rows = json.loads(text)
        if not isinstance(rows, list) or not all("TimeGenerated" in row for row in rows):
            self._answer(400, {"error": {"code": "InvalidPayload", "message": "an array is wanted"}})
            return
        server.rows += rows
        self._answer(204, None)

    def do_GET(self) -> None:
        """Source: Key Vault REST, "Get Secret", and "Authentication, requests and responses" for the challenge."""
        server, path = self.server, urlsplit(self.path).path.strip("/")
        if self.headers["Authorization"] is None:
            server.challenges += 1
            where = f'Bearer authorization="https://login.microsoftonline.com/t", resource="{server.vaults}"'
            self._answer(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": where})
        elif self.headers["Authorization"] != f"Bearer {server.token}":
            self._answer(403, {"error": {"code": "Forbidden", "message": "planted text"}})
        elif path.removeprefix("secrets/") not in server.secrets:
            self._answer(404, {"error": {"code": "SecretNotFound", "message": "planted text"}})
        else:
            value = server.secrets[path.removeprefix("secrets/")]
            where = f"{server.address}/{path}" if path.count("/") == 2 else f"{server.address}/{path}/1"
            self._answer(200, {"value": value, "id": where, "attributes": {"enabled": True}})

    def _answer(self, code: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(code)
        for name, value in {**(headers or {}), **({"Retry-After": "1"} if code == 429 else {})}.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def azure_services(folder: Path) -> Iterator[AzureServices]:
    with served(AzureServices(folder)) as server:
        yield server
