"""How both command lines end: python -m app, and main.py."""

import subprocess
import sys

import pytest

from app.exit_codes import ExitCode

STRUCK = "def struck(): raise KeyboardInterrupt\n"


@pytest.mark.parametrize(
    "code",
    [
        "import typer, app.__main__ as entry\nentry.cli = typer.Typer(); entry.cli.command()(struck); entry.main()",
        "import app.verbs.pipeline as entry\nentry.pipeline = struck; entry.main()",
    ],
    ids=["python -m app", "main.py"],
)
def test_ctrl_c_says_stopped_and_has_the_exit_code_of_an_interruption(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", STRUCK + code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.INTERRUPTED, "stopped\n")
