"""Progress where nobody looks: plain lines, and never on standard output."""

import pytest

from app.telemetry.progress import Bar, Silent


def test_plain_lines_when_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar("pings")
    bar.start("reading", 10)
    bar.advance(10, "fine")
    bar.note("a line that stays")
    bar.done()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reading: 10 of 10" in captured.err
    assert "pings/s fine" in captured.err
    assert "a line that stays" in captured.err


def test_new_stage_closes_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    bar.start("one", None)
    bar.start("two", 3)
    bar.done()
    assert capsys.readouterr().err.count("\n") == 2


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = Silent()
    quiet.start("x", 1)
    quiet.advance()
    quiet.note("y")
    quiet.done()
    assert capsys.readouterr() == ("", "")
