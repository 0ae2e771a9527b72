"""python -m stacks watch: how far the job is, live."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.errors import InfraError
from infra.vm.now import KINDS
from stacks.verbs import options

if TYPE_CHECKING:
    from stacks.live import LiveStack, Look

RETRY_S = 5.0
"""Between looks while its machine cannot be reached."""
Show = Callable[[dict[str, Any]], None]
Tell = Callable[[str], None]


def watch(
    stack: options.Stack = "local",
    once: Annotated[bool, typer.Option("--once", help="Look once and leave.")] = False,
    interval_s: Annotated[float, typer.Option("--interval", min=0.2, help="Seconds between looks.")] = 2.0,
    mirror: Annotated[
        bool,
        typer.Option(
            "--mirror/--no-mirror", help="Bring each checkpoint home where there is no volume to hold it."
        ),
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Follow a job to its end: state, step, speed, loss, GPU, dollars, time left. Ctrl-C only stops looking."""
    from stacks.live import open_stack
    from stacks.verbs.console import say
    from stacks.verbs.watch_table import plain_line

    live = open_stack(stack)
    if as_json:
        _follow(live, once, interval_s, mirror, _json_line, lambda line: _json_line({"note": line}))
    elif sys.stdout.isatty() and not once:
        _on_screen(live, interval_s, mirror)
    else:
        _follow(live, once, interval_s, mirror, lambda rows: say(plain_line(rows)), say)


def rows_of(stack: str, look: "Look") -> dict[str, Any]:
    """One look as a row of figures, for people and programs alike."""
    status, run = look.status, look.run
    return {
        "stack": stack,
        "state": status.state,
        "outcome": status.outcome,
        "exit_code": status.exit_code,
        "reason": run.ended or status.reason,
        **{k: v for k, v in run.as_dict().items() if k != "ended"},
    }


def what_next(live: "LiveStack", look: "Look") -> str:
    """A line for people whose rented machine's job is over: how, and what there is to do."""
    down, up = f"python -m stacks down {live.stack}", f"python -m stacks up {live.stack}"
    outcome, reason = look.status.outcome, look.status.reason
    if outcome == "done":
        return f"the job is done; next: {down} (brings the run home, ends everything, gives the receipt)"
    if look.status.state == "lost":
        return f"{reason or look.gone}; next: {up}, or {down} (brings home what there is)"
    if outcome == "failed":
        return f"the job failed ({reason}); next: python -m stacks logs {live.stack}, then {up} or {down}"
    return (
        f"the job ended before it was done ({outcome}); next: {up} with a higher limit (goes on from its last "
        f"checkpoint), or {down} (brings home what there is)"
    )


def _follow(live: "LiveStack", once: bool, interval_s: float, mirror: bool, show: Show, tell: Tell) -> None:
    with _pod_rows(live) as more:
        home = _mirror(live, tell) if mirror and not once else None
        lost = ""
        last: Look | None = None
        while True:
            try:
                look = live.look()
            except InfraError as error:
                if once or last is None:
                    raise
                if str(error) != lost:
                    tell(f"cannot look now, trying on: {error}")
                lost = str(error)
                time.sleep(max(interval_s, RETRY_S))
                continue
            if lost and not look.gone:
                tell("its machine answers again")
            if look.gone and last is not None and last.run.step > look.run.step:
                look = replace(look, run=last.run)  # what was seen is more than what is at home
            last, lost = look, ""
            show({**rows_of(live.stack, look), **(more(look) if more else {})})
            if home is not None:
                home.look(look)
            # A copy of the end that failed is tried again for as long as its machine is there.
            if once or look.gone or (look.status.over and (home is None or home.over)):
                break
            time.sleep(interval_s)
    if home is not None and not home.over:
        tell(f"WARNING: {live.home} is not the whole run: its machine went before the last copy")
    if live.rented and not once:
        tell(what_next(live, look))


@contextlib.contextmanager
def _pod_rows(live: "LiveStack") -> Iterator[Callable[["Look"], dict[str, Any]] | None]:
    where = live.outputs["where"]
    if where.get("kind") in KINDS:
        from stacks.verbs.watch_machine import MachineRows

        with MachineRows(where) as machine:
            yield machine.rows
        return
    if live.pod is None:
        yield None
        return
    from stacks.verbs.watch_pod import PodRows

    with PodRows(live.pod) as pod:
        yield pod.rows


def _mirror(live: "LiveStack", tell: Tell) -> Any:
    if not live.lies_on_machine_alone:
        return None
    from stacks.verbs.watch_mirror import Mirror

    return Mirror(live, tell)


def _on_screen(live: "LiveStack", interval_s: float, mirror: bool) -> None:
    from rich.live import Live

    from stacks.verbs.watch_table import Screen

    screen = Screen()
    with Live(screen, refresh_per_second=4) as shown:

        def show(rows: dict[str, Any]) -> None:
            screen.rows = rows
            shown.refresh()

        def tell(line: str) -> None:
            screen.notes.append(line)
            shown.refresh()

        _follow(live, False, interval_s, mirror, show, tell)


def _json_line(rows: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(rows) + "\n")
    sys.stdout.flush()
