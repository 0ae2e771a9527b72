"""A record says the same on its way back, and holds nothing secret and nothing that JSON cannot."""

import json
from typing import Any

import pytest

from app.telemetry.logs.record import LONGEST_TEXT, LogRecord, RecordMaker
from app.telemetry.logs.scrub import HIDDEN, Scrub

ADDRESS = "slack://T0KEN-aaa1/B0KEN-bbb2/hunter22xyz%21/?auth=quersecret#chan"


def maker(clock: list[float] | None = None, scrub: Scrub | None = None) -> RecordMaker:
    times = iter(clock) if clock is not None else None
    return RecordMaker(
        run="st/r", host="h", scrub=scrub or Scrub(), clock=lambda: next(times) if times is not None else 5.0
    )


def make(text: str = "x", figures: dict[str, Any] | None = None, **values: Any) -> LogRecord:
    return maker(**values).make("INFO", "note", text, step=3, figures=figures or {})


def test_it_is_the_same_on_its_way_back() -> None:
    record = make(figures={"loss": 0.25, "errors": {"a": 1}, "each": [1, 2]})
    assert LogRecord.from_line(record.as_line()) == record
    assert record.time == "1970-01-01T00:00:05.000Z"


@pytest.mark.parametrize(
    "line", [b"", b"null", b"{}", b'{"time": "x"}', b'{"time": "x", "other": 1}', b"\x00"]
)
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="no record"):
        LogRecord.from_line(line)


def test_ids_grow_and_times_never_fall() -> None:
    made = maker([10.0, 9.0, 11.0])
    records = [made.make("INFO", "note", "x", step=None, figures={}) for _ in range(3)]
    assert [record.time_ms for record in records] == [10_000, 10_000, 11_000]
    assert sorted({record.id for record in records}) == [record.id for record in records]


def test_what_json_cannot_hold_becomes_null_or_text() -> None:
    record = make(figures={"a": float("nan"), "b": [float("inf"), 1.5], "c": object, "d": None, "e": True})
    told = json.loads(record.as_line())["figures"]
    assert told | {"c": ""} == {"a": None, "b": [None, 1.5], "c": "", "d": None, "e": True}
    assert len(make("y" * 100_000).message) == LONGEST_TEXT


@pytest.mark.parametrize(
    "secret",
    [
        ADDRESS,
        "T0KEN-aaa1",
        "B0KEN-bbb2",
        "hunter22xyz!",
        "quersecret",
        "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQ",
        "AKIAABCDEFGHIJKLMNOP",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "ghp_abcdefghijklmnop1234",
    ],
)
def test_nothing_secret_is_in_any_part_of_it(secret: str) -> None:
    figures = {"deep": [{"er": f"a {secret} b"}], "k": secret}
    record = maker(scrub=Scrub((ADDRESS, None))).make(
        "ERROR", "failed", f"said {secret}", step=None, figures=figures
    )
    assert secret.encode() not in record.as_line()
    assert HIDDEN in record.message


@pytest.mark.parametrize(
    "text",
    [
        "GET https://user:hunter2@example.org/x",
        "https://b.s3.amazonaws.com/x?X-Amz-Signature=abcdef0123&X-Amz-Expires=60",
        "Authorization: Bearer abc.def-ghi123",
        "login failed, password=hunter2hunter2 token=abc123",
    ],
)
def test_what_looks_secret_is_hidden(text: str) -> None:
    told = Scrub()(text)
    for secret in ("hunter2", "abcdef0123", "abc.def-ghi123", "abc123"):
        assert secret not in told


@pytest.mark.parametrize(
    "text",
    [
        "epoch 3: AP50 0.912, AP50:95 0.551",
        "device cuda (NVIDIA T4): float16, because the tensor cores take it",
        "cannot mirror to s3://bucket/runs/st/one: AccessDenied; check the address and the rights",
        "AWS takes this spot machine at 2026-11-28T12:02:00Z (terminate)",
        "the services are training at hooks.example.org",
    ],
)
def test_what_is_not_secret_stays(text: str) -> None:
    assert Scrub(("https://hooks.example.org/services/training/T0KEN-aaa1",))(text) == text
