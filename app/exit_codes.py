"""What a process of ours tells by its exit code; the stacks count the codes 80 to 83 as ended, not failed."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Process exit codes. 3 to 79 stay free: shells, Python and typer use the low ones."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DEADLINE = 80
    """Hours limit reached; the last checkpoint and the manifest are written."""
    BUDGET = 81
    """Dollar limit reached; the last checkpoint and the manifest are written."""
    IDLE = 82
    """The accelerator did nothing for the idle limit."""
    INTERRUPTED = 83
    """SIGTERM, Ctrl-C or a provider's notice; the run can be resumed."""
