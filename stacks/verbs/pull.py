"""python -m stacks pull: the run, copied here and verified."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stacks.verbs import options


def pull(
    stack: options.Stack = "local",
    to: Annotated[Path | None, typer.Option(help="Folder to copy it to; its home if not given.")] = None,
    as_json: options.Json = False,
) -> None:
    """Copy a stack's run and verify it by its manifest; repeat to go on after a cut connection."""
    from infra.runs.home import bring_home
    from stacks.live import open_stack
    from stacks.verbs.console import say, say_json

    live = open_stack(stack)
    status = live.job.status()
    receipt = bring_home(
        live.host,
        live.run_path,
        (to or Path(live.outputs["home"])).absolute(),
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
