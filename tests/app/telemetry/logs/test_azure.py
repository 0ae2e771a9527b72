"""What Azure Monitor is asked. The real service was never met: the library is asked instead, where it is there."""

import gzip
import json
from typing import Any

import pytest

from app.errors import SettingsError
from app.telemetry.cloud_logger import open_sender
from app.telemetry.logs.azure import MonitorSender
from app.telemetry.logs.record import LogRecord, RecordMaker
from app.telemetry.logs.sender import RefusedError

GROUP = "https://d.westeurope-1.ingest.monitor.azure.com/dataCollectionRules/dcr-1/streams/Custom-Sonarstack"
ROW = {
    "TimeGenerated": "1970-01-01T00:00:05.250Z",
    "Level": "INFO",
    "Kind": "step",
    "Message": "m0",
    "Run": "st/r",
    "Host": "h",
    "Step": 0,
    "Figures": {"loss": 0.5},
}


def records(count: int = 2) -> list[LogRecord]:
    made = RecordMaker(run="st/r", host="h", scrub=str, clock=lambda: 5.25)
    return [made.make("INFO", "step", f"m{i}", step=i, figures={"loss": 0.5}) for i in range(count)]


class HttpError(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__(f"HTTP {status_code}")
        self.status_code = status_code


class Client:
    """The one word of azure-monitor-ingestion that is used."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.asked: list[tuple[str, str, list[dict[str, Any]]]] = []
        self.fails = fails

    def upload(self, rule_id: str, stream_name: str, logs: list[dict[str, Any]]) -> None:
        if self.fails is not None:
            raise self.fails
        self.asked.append((rule_id, stream_name, logs))


def test_each_record_is_a_row_of_the_rules_stream() -> None:
    client = Client()
    assert MonitorSender(GROUP, client=client).send(records()).taken == 2
    ((rule, stream, rows),) = client.asked
    assert (rule, stream) == ("dcr-1", "Custom-Sonarstack")
    assert {k: v for k, v in rows[0].items() if k != "Id"} == ROW
    assert rows[0]["Id"] != rows[1]["Id"]


@pytest.mark.parametrize("code", [400, 413])
def test_what_is_wrong_for_ever_is_told_from_what_is_not(code: int) -> None:
    with pytest.raises(RefusedError, match=str(code)):
        MonitorSender(GROUP, client=Client(HttpError(code))).send(records())
    with pytest.raises(HttpError):
        MonitorSender(GROUP, client=Client(HttpError(429))).send(records())


@pytest.mark.parametrize(
    ("code", "advice"), [(403, "Monitoring Metrics Publisher"), (404, "SONARSTACK_LOG_GROUP")]
)
def test_advice(code: int, advice: str) -> None:
    assert advice in MonitorSender(GROUP, client=Client()).advice(HttpError(code))


def test_a_wrong_address_and_a_missing_package_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SettingsError, match="must be https://ENDPOINT/dataCollectionRules/RULE/streams/STREAM"
    ):
        open_sender("azure", "Custom-Sonarstack", run="r")
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)
    with pytest.raises(SettingsError, match=r"azure-monitor-ingestion: pip install 'sonarstack\[cloud\]'"):
        open_sender("azure", GROUP, run="r")


def test_the_library_asks_as_the_api_has_it() -> None:
    library = pytest.importorskip("azure.monitor.ingestion", reason="needs azure-monitor-ingestion")
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.transport import HttpTransport

    asked: list[Any] = []

    class Token:
        def get_token(self, *scopes: str, **named: Any) -> AccessToken:
            return AccessToken("t", 4102444800)

    class Answer:
        status_code, reason, headers, content_type = 204, "No Content", {}, None

        def body(self, encoding: str | None = None) -> bytes:
            return b""

        text = read = json = body

    class Wire(HttpTransport):  # type: ignore[misc, type-arg, unused-ignore]
        def send(self, request: Any, **named: Any) -> Any:
            asked.append(request)
            return Answer()

        def open(self) -> None: ...
        def close(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    sender = MonitorSender(
        GROUP, client=library.LogsIngestionClient(GROUP.split("/dataC")[0], Token(), transport=Wire())
    )
    assert sender.send(records()).taken == 2
    (request,) = asked
    assert request.url == f"{GROUP}?api-version=2023-01-01"
    rows = json.loads(gzip.decompress(request.content if hasattr(request, "content") else request.body))
    assert {k: v for k, v in rows[0].items() if k != "Id"} == ROW
