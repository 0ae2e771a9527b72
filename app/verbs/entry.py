"""How a command line ends: with one line for an expected error, and an exit code that programs can go by."""

import sys
from collections.abc import Callable

from app.errors import SonarstackError
from app.exit_codes import ExitCode
from app.verbs.report_error import report, report_refusal

CTRL_C = 130
"""What typer makes of a Ctrl-C before it gets here."""


def run_entry(command_line: Callable[[], object]) -> None:
    """Run it; what it raises for its user becomes a line on standard error and an exit code."""
    try:
        command_line()
    except SonarstackError as error:
        report(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        raise
    except OSError as error:
        report_refusal(error)
        sys.exit(ExitCode.FAILED)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != CTRL_C:
            raise
        sys.stderr.write("stopped\n")
        sys.exit(ExitCode.INTERRUPTED)
