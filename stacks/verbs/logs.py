"""python -m stacks logs: what the job wrote."""

import sys
from typing import Annotated

import typer

from stacks.verbs import options


def logs(
    stack: options.Stack = "local",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the job has ended.")] = False,
    lines: Annotated[int, typer.Option(min=1, help="The last so many lines.")] = 100,
) -> None:
    """Show the log of a stack's job."""
    from infra.jobs.job import follow_log, log_tail
    from stacks.live import open_stack

    job = open_stack(stack).job
    if not follow:
        sys.stdout.write(log_tail(job, lines) + "\n")
        return
    for line in follow_log(job):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
