"""What people are told: texts, and each of them once."""

from pathlib import Path

import pytest

from app.exit_codes import ExitCode
from app.telemetry.notify import Notifier
from app.training.limits import Limits
from app.training.notices import STATES, Notices
from app.training.run_folder import RunFolder

LIMITS = Limits(max_usd=5.0, price_usd_per_h=1.0)


class Told(Notifier):
    """Remembers instead of sending."""

    def __init__(self) -> None:
        super().__init__("json://127.0.0.1:1/", note=pytest.fail)
        self.messages: list[tuple[str, str]] = []

    def send(self, title: str, body: str) -> None:
        self.messages.append((title, body))


def run_with_figures(folder: Path) -> RunFolder:
    run = RunFolder(folder / "wrecks" / "run")
    run.append_metrics({"kind": "step", "step": 40, "total_steps": 100, "loss": 1.0, "usd": 1.5})
    run.append_metrics({"kind": "epoch", "step": 40, "epoch": 1, "ap50": 0.61, "usd": 1.6})
    run.append_metrics({"kind": "epoch", "step": 40, "epoch": 2, "ap50": 0.58, "usd": 1.7})
    return run


def test_a_message_tells_run_state_step_ap_dollars_and_place(tmp_path: Path) -> None:
    told = Told()
    Notices(run_with_figures(tmp_path), told, LIMITS).ended(ExitCode.IDLE, "the GPU slept", usd=1.75)
    title, body = told.messages[0]
    assert title == "sonarstack: wrecks/run is about to be ended: idle"
    for text in ("the GPU slept", "Step: 40 of 100", "AP50: 0.610", "Dollars: 1.75 of 5", str(tmp_path)):
        assert text in body


def test_the_step_is_the_furthest_that_is_known(tmp_path: Path) -> None:
    run, told = run_with_figures(tmp_path), Told()
    Notices(run, told, LIMITS).ended(ExitCode.INTERRUPTED, "SIGTERM asked for a stop", usd=1.8, step=47)
    Notices(run, told, LIMITS).ended(ExitCode.DONE, "all epochs done", usd=1.8)
    assert ["Step: 47 of 100" in body for _, body in told.messages] == [True, False]
    assert "Step: 40 of 100" in told.messages[1][1]


def test_every_code_of_an_end_has_words() -> None:
    assert set(STATES) == set(ExitCode) - {ExitCode.FAILED, ExitCode.USAGE}


def test_a_run_without_figures_or_price(tmp_path: Path) -> None:
    told = Told()
    Notices(RunFolder(tmp_path / "run"), told, Limits()).failed(ValueError("bad\nvalue"), usd=0.0)
    title, body = told.messages[0]
    assert title.endswith("/run failed")
    for text in ("ValueError: bad)", "Step: 0", "not evaluated yet", "not counted, no price was given"):
        assert text in body


def test_dollars_are_told_once_on_whatever_machine(tmp_path: Path) -> None:
    run, told = run_with_figures(tmp_path), Told()
    notices = Notices(run, told, LIMITS)
    notices.dollars(3.99, {"step": 41, "usd": 3.99})
    assert told.messages == []
    notices.dollars(4.0, {"step": 42, "usd": 4.0})
    notices.dollars(4.1, {"step": 43, "usd": 4.1})
    assert [title for title, _ in told.messages] == ["sonarstack: wrecks/run has spent 80% of its dollars"]
    assert run.read_metrics()[-1] == {"kind": "notice", "max_usd": 5.0, "step": 42, "usd": 4.0}
    elsewhere = Notices(RunFolder(run.path), told, LIMITS)
    elsewhere.dollars(4.2, {"step": 44, "usd": 4.2})
    assert len(told.messages) == 1


def test_a_raised_limit_is_told_anew(tmp_path: Path) -> None:
    run, told = run_with_figures(tmp_path), Told()
    Notices(run, told, LIMITS).dollars(4.5, {"step": 42, "usd": 4.5})
    raised = Notices(run, told, Limits(max_usd=10.0, price_usd_per_h=1.0))
    raised.dollars(5.0, {"step": 50, "usd": 5.0})
    raised.dollars(8.0, {"step": 80, "usd": 8.0})
    assert len(told.messages) == 2


def test_nobody_to_tell_leaves_no_trace(tmp_path: Path) -> None:
    run = run_with_figures(tmp_path)
    before = run.read_metrics()
    notices = Notices(run, Notifier(None, note=pytest.fail), LIMITS)
    notices.dollars(4.5, {"step": 42, "usd": 4.5})
    notices.ended(ExitCode.DONE, "all epochs done", usd=4.5)
    assert run.read_metrics() == before
