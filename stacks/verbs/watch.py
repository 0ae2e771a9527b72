"""python -m stacks watch: how far the job is, live."""

import json
import sys
import time
from typing import Annotated, Any

import typer

from stacks.verbs import options


def watch(
    stack: options.Stack = "local",
    once: Annotated[bool, typer.Option("--once", help="Look once and leave.")] = False,
    interval_s: Annotated[float, typer.Option("--interval", min=0.2, help="Seconds between looks.")] = 2.0,
    as_json: options.Json = False,
) -> None:
    """Follow a job to its end: state, step, speed, loss, memory, dollars, time left. Ctrl-C only stops looking."""
    from stacks.live import open_stack

    live = open_stack(stack)
    if as_json:
        _each(live, once, interval_s, lambda rows: sys.stdout.write(json.dumps(rows) + "\n"))
    elif sys.stdout.isatty() and not once:
        _on_screen(live, interval_s)
    else:
        _each(live, once, interval_s, _plain_line)


def rows_of(stack: str, status: Any, run: Any) -> dict[str, Any]:
    """One look as a row of figures, for people and programs alike."""
    return {
        "stack": stack,
        "state": status.state,
        "outcome": status.outcome,
        "exit_code": status.exit_code,
        "reason": run.ended or status.reason,
        **{k: v for k, v in run.as_dict().items() if k != "ended"},
    }


def _each(live: Any, once: bool, interval_s: float, show: Any) -> None:
    while True:
        status, run = live.status()
        show(rows_of(live.stack, status, run))
        sys.stdout.flush()
        if once or status.over:
            return
        time.sleep(interval_s)


def _on_screen(live: Any, interval_s: float) -> None:
    from rich.live import Live

    with Live(refresh_per_second=4) as screen:
        _each(live, False, interval_s, lambda rows: screen.update(_table(rows)))


def _plain_line(rows: dict[str, Any]) -> None:
    sys.stdout.write("  ".join(f"{name} {value}" for name, value in _cells(rows) if value != "-") + "\n")


def _table(rows: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title=f"stack {rows['stack']}", show_header=False)
    for name, value in _cells(rows):
        table.add_row(name, value)
    return table


def _cells(rows: dict[str, Any]) -> list[tuple[str, str]]:
    def number(key: str, form: str, unit: str = "") -> str:
        return "-" if rows[key] is None else f"{rows[key]:{form}}{unit}"

    total = f" of {rows['total_steps']}" if rows["total_steps"] else ""
    epochs = f" of {rows['epochs']}" if rows["epochs"] else ""
    state = rows["state"] if not rows["outcome"] else f"{rows['state']}: {rows['outcome']}"
    return [
        ("state", state if not rows["reason"] else f"{state} ({rows['reason']})"),
        ("step", f"{rows['step']}{total}"),
        ("epoch", f"{rows['epoch']}{epochs}"),
        ("loss", number("loss", ".3f")),
        ("AP50", number("ap50", ".3f")),
        ("images/s", number("images_per_s", ".1f")),
        ("memory", number("memory_gib", ".2f", " GiB")),
        ("GPU", number("gpu_percent", ".0f", " %")),
        ("spent", f"${rows['usd']:.2f} in {_clock(rows['seconds'])}"),
        ("left", "-" if rows["seconds_left"] is None else _clock(rows["seconds_left"])),
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
