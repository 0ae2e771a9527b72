"""python -m stacks logs: what the job wrote."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from stacks.live import LiveStack


def logs(
    stack: options.Stack = "local",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the job has ended.")] = False,
    lines: Annotated[int, typer.Option(min=1, help="The last so many lines.")] = 100,
) -> None:
    """Show the log of a stack's job."""
    from infra.jobs.job import follow_log, log_tail
    from stacks.live import open_stack

    live = open_stack(stack)
    if live.pod is not None and _is_gone(live):
        _tell_last(live, lines)
        return
    if not follow:
        sys.stdout.write(log_tail(live.job, lines) + "\n")
        return
    for line in follow_log(live.job):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _is_gone(live: "LiveStack") -> bool:
    from infra.errors import HostGoneError

    live.job.status()  # finds out, and writes it down, where nobody has yet
    try:
        _ = live.host
    except HostGoneError:
        return True
    return False


def _tell_last(live: "LiveStack", lines: int) -> None:
    """The log went with the pod; the stack knows the lines that the last `up` or refresh saw."""
    known = str(live.outputs.get("log") or "").splitlines()[-lines:]
    sys.stderr.write(
        f"pod {live.pod} is gone; these are the lines that the stack saw last, and the run's own figures come with "
        f"`python -m stacks pull {live.stack}`\n"
        if known
        else f"pod {live.pod} is gone, its log cannot be read any more; its run: python -m stacks pull {live.stack}\n"
    )
    if known:
        sys.stdout.write("\n".join(known) + "\n")
