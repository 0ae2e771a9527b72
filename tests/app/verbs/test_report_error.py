"""What the system refuses is one line, whichever way in was taken."""

import pytest

from app import __main__ as app_way
from app.exit_codes import ExitCode
from app.verbs import pipeline


def _refuses(error: OSError):
    def verb(*_: object) -> None:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            PermissionError(13, "Permission denied", "/closed/a.xtf"),
            "/closed/a.xtf: Permission denied; check the path and the rights",
        ),
        (
            OSError(28, "No space left on device"),
            "No space left on device; check the disk and the connection",
        ),
        (TimeoutError("the host\nis silent"), "the host is silent; check the disk and the connection"),
    ],
)
def test_a_refusal_is_one_line_and_a_failure(error, line, monkeypatch, capsys) -> None:
    monkeypatch.setattr(app_way, "cli", _refuses(error))
    monkeypatch.setattr(pipeline.typer, "run", _refuses(error))
    for main in (app_way.main, pipeline.main):
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == ExitCode.FAILED
        assert capsys.readouterr().err == f"error: {line}\n"


def test_a_reader_that_left_is_not_reported(monkeypatch) -> None:
    monkeypatch.setattr(app_way, "cli", _refuses(BrokenPipeError()))
    with pytest.raises(BrokenPipeError):
        app_way.main()
