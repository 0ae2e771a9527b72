"""python -m stacks pull: the run, copied here and verified."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from infra.hosts.host import Host
    from infra.jobs.job import JobStatus
    from stacks.live import LiveStack


def pull(
    stack: options.Stack = "local",
    to: Annotated[Path | None, typer.Option(help="Folder to copy it to; its home if not given.")] = None,
    as_json: options.Json = False,
) -> None:
    """Copy a stack's run and verify it by its manifest; repeat to go on after a cut connection."""
    from infra.runs.open_home import bring_home_open
    from stacks.live import open_stack
    from stacks.verbs.console import say, say_json

    live = open_stack(stack)
    home = (to or live.home).absolute()
    with _where_it_lies(live, home) as (host, path, status):
        receipt = bring_home_open(
            host,
            path,
            home,
            seal=live.seal,
            job=live.job_folder,
            over=status.over,
            crashed=status.outcome == "failed",
        )
    if as_json:
        say_json({**asdict(receipt), "state": status.state})
        return
    say(receipt.as_text())
    for note in receipt.notes:
        say(f"note: {note}")
    if not status.over:
        say("the job still runs: what it writes from now on is not in this copy")


@contextmanager
def _where_it_lies(live: "LiveStack", home: Path) -> Iterator[tuple["Host", str, "JobStatus"]]:
    """The run's machine and path there; of one that is gone its volume, by another, which tells how the job ended."""
    from infra.errors import HostGoneError
    from infra.jobs.detached import DetachedJob
    from infra.machines import open_remains, open_run

    status = live.job.status()
    with ExitStack() as opened:
        try:
            found = opened.enter_context(open_run(live.machine, live.run_path, home, lambda: False))
        except HostGoneError as error:
            _say_cost(live, str(error))
        else:
            yield *found, status
            return
    with open_remains(live.machine) as left:
        job = DetachedJob(left, str(live.outputs["where"]["folder"]))
        yield left, live.run_path, job.status()


def _say_cost(live: "LiveStack", why: str) -> None:
    """Before it costs; where programs read the output, beside it."""
    if live.lies_on_machine_alone:
        return  # there is no volume: the error of the look at it says so, and nothing is rented
    from infra.runpod.reader import LEASE, USD

    sys.stderr.write(
        f"{why}; a CPU pod reads its volume: at most ${USD:.2f}, {LEASE.total_seconds() / 60:.0f} minutes, ended "
        "after it\n"
    )
    sys.stderr.flush()
