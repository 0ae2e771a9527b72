"""How `watch` shows a look: a table on a terminal, a line in a file."""

from collections import deque
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

NOTES = 6
"""Lines below the table."""


class Screen:
    """The last look and the last notes, drawn anew whenever asked."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] | None = None
        self.notes: deque[str] = deque(maxlen=NOTES)

    def __rich__(self) -> RenderableType:
        table = Text("looking...") if self.rows is None else table_of(self.rows)
        return Group(table, *(Text(note) for note in self.notes))


def plain_line(rows: dict[str, Any]) -> str:
    """A look as one line; what is not known is left out."""
    return "  ".join(f"{name} {value}" for name, value in cells(rows) if value != "-")


def table_of(rows: dict[str, Any]) -> Table:
    """A look as a table."""
    mark = "SIMULATED " if rows.get("simulated") else ""
    table = Table(title=f"{mark}stack {rows['stack']}", show_header=False)
    for name, value in cells(rows):
        table.add_row(name, Text(value))
    return table


def cells(rows: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values as people read them; `-` is not known."""

    def number(key: str, form: str, unit: str = "") -> str:
        return "-" if rows[key] is None else f"{rows[key]:{form}}{unit}"

    total = f" of {rows['total_steps']}" if rows["total_steps"] else ""
    epochs = f" of {rows['epochs']}" if rows["epochs"] else ""
    state = rows["state"] if not rows["outcome"] else f"{rows['state']}: {rows['outcome']}"
    rented = "pod" in rows
    training = [
        ("state", state if not rows["reason"] else f"{state} ({rows['reason']})"),
        *([("machine", _pod(rows))] if rented else []),
        ("step", f"{rows['step']}{total}"),
        ("epoch", f"{rows['epoch']}{epochs}"),
        ("loss", number("loss", ".3f")),
        ("AP50", number("ap50", ".3f")),
        ("images/s", number("images_per_s", ".1f")),
        ("memory", number("memory_gib", ".2f", " GiB")),
        ("GPU", _gpus(rows) if rented and rows["gpus_percent"] else number("gpu_percent", ".0f", " %")),
    ]
    if rented:
        return [*training, *_money(rows)]
    return [
        *training,
        ("spent", f"${rows['usd']:.2f} in {clock(rows['seconds'])}"),
        ("left", "-" if rows["seconds_left"] is None else clock(rows["seconds_left"])),
    ]


def _pod(rows: dict[str, Any]) -> str:
    mark = "SIMULATED " if rows["simulated"] else ""
    if rows["pod_ended"]:
        return f"{mark}ended: {rows['pod_ended']}"
    parts = [f"{mark}{rows['pod_status'] or 'not asked'}", *([rows["gpu_name"]] if rows["gpu_name"] else [])]
    if rows["pod_problem"]:
        parts.append(
            f"as of the last answer; {rows['pod_problem']}" if rows["pod_status"] else rows["pod_problem"]
        )
    return ", ".join(parts)


def _gpus(rows: dict[str, Any]) -> str:
    use = ", ".join(f"{one} %" for one in rows["gpus_percent"])
    memory = ", ".join(f"{one} %" for one in rows["gpus_memory_percent"] or ())
    return f"{use} busy, {memory} of its memory" if memory else f"{use} busy"


def _money(rows: dict[str, Any]) -> list[tuple[str, str]]:
    usd, ends, ahead = rows["machines_usd"], rows["seconds_to_end"], rows["forecast_usd"]
    price = "-" if rows["usd_per_h"] is None else f"${rows['usd_per_h']:.2f} an hour"
    spent = (
        "-"
        if usd is None
        else f"${usd:.2f} by all machines of this run, {clock(rows['seconds'])} of training"
    )
    left = "-" if ends is None else _range(clock(ends[0]), clock(ends[1]))
    if rows["done_in_time"] is False:
        left += ", NOT DONE BY THEN: its lease ends first"
    total = "-" if ahead is None else f"{_range(f'${ahead[0]:.2f}', f'${ahead[1]:.2f}')} by then"
    return [
        ("price", price),
        ("spent", spent),
        ("left", left),
        ("forecast", total),
        ("deadline", _deadline(rows)),
    ]


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _deadline(rows: dict[str, Any]) -> str:
    if rows["lease_until"] is None or rows["lease_seconds_left"] is None:
        return "-"
    until = datetime.fromisoformat(rows["lease_until"])
    return f"in {clock(rows['lease_seconds_left'])}, at {until:%Y-%m-%d %H:%M %Z}"


def clock(seconds: float) -> str:
    """H:MM:SS, or M:SS."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
