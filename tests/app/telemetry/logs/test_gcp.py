"""What Google Cloud Logging is asked. Never met the real service: its library is asked, where it is there."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.errors import SettingsError
from app.telemetry.cloud_logger import open_sender
from app.telemetry.logs.gcp import CloudLoggingSender
from app.telemetry.logs.record import LogRecord, RecordMaker
from app.telemetry.logs.sender import RefusedError


def records(count: int = 2) -> list[LogRecord]:
    made = RecordMaker(run="st/r", host="h", scrub=str, clock=lambda: 5.25)
    return [made.make("WARNING", "step", f"m{i}", step=i, figures={"loss": 0.5}) for i in range(count)]


class Client:
    """The few words of google.cloud.logging that are used."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.entries: list[dict[str, Any]] = []
        self.log = ""
        self.fails = fails

    def logger(self, name: str) -> "Client":
        self.log = name
        return self

    def batch(self) -> "Client":
        return self

    def log_struct(self, info: dict[str, Any], **values: Any) -> None:
        self.entries.append({"info": info, **values})

    def commit(self) -> None:
        if self.fails is not None:
            raise self.fails


class InvalidArgument(Exception):  # noqa: N818 named as the library's
    pass


def test_each_record_is_an_entry_with_its_own_id() -> None:
    client = Client()
    sent = CloudLoggingSender("projects/p/logs/sonarstack", client=client).send(records())
    assert sent.taken == 2
    assert client.log == "sonarstack"
    first = client.entries[0]
    assert first["info"]["message"] == "m0"
    assert first["insert_id"] == first["info"]["id"]
    assert (first["severity"], first["labels"]) == ("WARNING", {"run": "st/r", "host": "h"})
    assert first["timestamp"].isoformat() == "1970-01-01T00:00:05.250000+00:00"


def test_what_is_wrong_for_ever_is_told_from_what_is_not() -> None:
    with pytest.raises(RefusedError):
        CloudLoggingSender("l", client=Client(InvalidArgument("400"))).send(records())
    with pytest.raises(ConnectionError):
        CloudLoggingSender("l", client=Client(ConnectionError("503"))).send(records())


def test_the_package_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.cloud.logging", None)
    with pytest.raises(SettingsError, match=r"google-cloud-logging: pip install 'sonarstack\[cloud\]'"):
        open_sender("gcp", "l", run="r")


class Api(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def api() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_the_library_asks_as_the_api_has_it(api: ThreadingHTTPServer) -> None:
    library = pytest.importorskip("google.cloud.logging", reason="needs google-cloud-logging")
    from google.auth.credentials import AnonymousCredentials

    client = library.Client(
        project="p",
        credentials=AnonymousCredentials(),
        _use_grpc=False,
        client_options={"api_endpoint": f"http://127.0.0.1:{api.server_port}"},
    )
    CloudLoggingSender("sonarstack", client=client).send(records())
    client.close()
    ((path, body),) = api.asked  # type: ignore[attr-defined]
    assert path.startswith("/v2/entries:write")
    written = [entry for entry in body["entries"] if "step" in entry["jsonPayload"]]
    assert [entry["jsonPayload"]["message"] for entry in written] == ["m0", "m1"]
    assert written[0]["insertId"] == written[0]["jsonPayload"]["id"]
    assert (written[0]["severity"], written[0]["timestamp"]) == ("WARNING", "1970-01-01T00:00:05.250000Z")
    assert body.get("logName", written[0].get("logName")) == "projects/p/logs/sonarstack"
