"""A busy machine is no fault of a log: tests of how long its end may take say so themselves."""

import pytest


@pytest.fixture(autouse=True)
def _time_to_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.telemetry.cloud_logger.CLOSE_WITHIN_S", 60.0)
