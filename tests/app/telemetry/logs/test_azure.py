"""What Azure Monitor is asked. The real service was never met: the real library asks one on loopback."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.errors import SettingsError
from app.telemetry.cloud_logger import CloudLogger, open_sender
from app.telemetry.logs.azure import MonitorSender
from app.telemetry.logs.record import LogRecord, RecordMaker
from app.telemetry.logs.sender import RefusedError
from tests.app.azure import Services

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


PACE: dict[str, Any] = {"every_s": 0.02, "backoff_s": (0.02, 0.1)}


class Run:
    """A logger of a run on a machine there, and what it noted."""

    def __init__(self, services: Services, folder: Path) -> None:
        pytest.importorskip("azure.monitor.ingestion", reason="needs azure-monitor-ingestion")
        self.notes: list[str] = []
        self.there = services.there
        self.logger = CloudLogger(
            run="st/r",
            keep=lambda record: None,
            note=self.notes.append,
            sender=open_sender("azure", services.there.group, run="st/r"),
            queue=folder / "queue",
            **PACE,
        )

    def log(self, count: int, words: str = "m") -> None:
        for step in range(count):
            self.logger.log("INFO", "step", f"{words}{step}", step=step, figures={"loss": 0.5})

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not what():
            assert time.monotonic() < deadline, self.notes
            time.sleep(0.01)

    def steps(self) -> list[int]:
        return [row["Step"] for row in self.there.rows]


def test_a_machines_identity_brings_them_as_the_api_has_it(services: Services, tmp_path: Path) -> None:
    run = Run(services, tmp_path)
    run.log(40)
    run.logger.close()
    assert run.notes == []
    assert run.steps() == list(range(40))
    assert {name: type(value).__name__ for name, value in services.there.rows[0].items()} == {
        "TimeGenerated": "str",
        "Id": "str",
        "Level": "str",
        "Kind": "str",
        "Message": "str",
        "Run": "str",
        "Host": "str",
        "Step": "int",
        "Figures": "dict",
    }
    assert services.metadata.tokens_for == ["https://monitor.azure.com"]
    # Nothing waits for the next process.
    assert not (tmp_path / "queue").exists()


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (429, "Azure asks to slow down"),
        (403, "Monitoring Metrics Publisher"),
        (404, "check endpoint, rule and stream"),
        (503, "check the network"),
    ],
)
def test_what_passes_by_is_one_note_and_nothing_is_lost_or_doubled(
    services: Services, tmp_path: Path, code: int, advice: str
) -> None:
    services.there.refuses_always = code
    run = Run(services, tmp_path)
    run.log(10)
    run.until(lambda: services.there.calls >= 3)
    assert len(run.notes) == 1
    assert advice in run.notes[0]
    assert "training goes on" in run.notes[0]
    services.there.refuses_always = None
    run.until(lambda: len(services.there.rows) == 10)
    run.logger.close()
    assert run.steps() == list(range(10))
    assert "is reached again" in run.notes[1]


def test_a_batch_that_is_too_long_goes_in_parts_and_only_what_never_fits_is_given_up(
    services: Services, tmp_path: Path
) -> None:
    services.there.longest = 4000
    services.there.refuses_always = 503
    run = Run(services, tmp_path)
    run.log(30, "w" * 200)
    run.logger.log("INFO", "step", "x" * 8000, step=30)
    run.log(5, "after")
    services.there.refuses_always = None
    run.until(lambda: len(services.there.rows) >= 35)
    run.logger.close()
    assert run.steps() == [*range(30), *range(5)]
    assert sum("does not keep 1 records" in note for note in run.notes) == 1


def test_an_endpoint_that_is_not_there_holds_up_no_end(services: Services, tmp_path: Path) -> None:
    services.there.refuses_always = 503
    run = Run(services, tmp_path)
    run.log(3)
    began = time.monotonic()
    run.logger.close(within_s=0.5)
    assert time.monotonic() - began < 10
    assert "3 records wait in" in run.notes[-1]
    # The next process comes when this one is gone.
    assert run.logger._shipper is not None
    run.logger._shipper._thread.join(30)
    services.there.refuses_always = None
    again = Run(services, tmp_path)
    again.logger.close()
    assert again.steps() == [0, 1, 2]
