"""The figures of a run: metrics.jsonl, one JSON object a line, and the same figures for TensorBoard."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from app.storage import output_error

NOT_CURVES = ("step", "epoch", "kind", "code")


class MetricsFile:
    """Appends lines; whatever a crash left of a last line is cut off before the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mended = False

    def append(self, line: dict[str, Any]) -> None:
        """Add a line; figures that are not finite become null, since JSON has no NaN.

        Raises:
            OutputError: it cannot be written.
        """
        text = json.dumps(plain(line), allow_nan=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._mended:
                self._cut_torn_line()
                self._mended = True
            with self._path.open("ab") as stream:
                stream.write(text.encode())
        except OSError as error:
            self._mended = False  # half of this line may be on the disk
            raise output_error(self._path, error) from error

    def _cut_torn_line(self) -> None:
        if not self._path.is_file():
            return
        with self._path.open("rb+") as stream:
            data = stream.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                stream.truncate(whole)
                stream.flush()
                os.fsync(stream.fileno())

    def read(self) -> list[dict[str, Any]]:
        """All whole lines, in order; a torn last line is left out.

        Raises:
            ValueError: a line other than the last is no JSON.
        """
        if not self._path.is_file():
            return []
        return [json.loads(line) for line in self._lines()]

    def read_whole(self) -> list[dict[str, Any]]:
        """The same without the lines that a crash or a disk damaged."""
        if not self._path.is_file():
            return []
        whole = []
        for line in self._lines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                whole.append(value)
        return whole

    def _lines(self) -> list[bytes]:
        data = self._path.read_bytes()
        return data[: data.rfind(b"\n") + 1].splitlines()


def plain(value: Any) -> Any:
    """The same as JSON has it: numpy numbers as Python's, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Board:
    """TensorBoard event files, without torch; the writer is made at the first figure."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def add(self, line: dict[str, Any]) -> None:
        """Every number of the line, at its `step`, under its `kind`."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        kind = line.get("kind", "step")
        figures = {k: v for k, v in line.items() if k not in NOT_CURVES and _is_number(v)}
        if not figures:
            return
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventFileWriter(str(self._folder))
        values = [Summary.Value(tag=f"{kind}/{k}", simple_value=float(v)) for k, v in figures.items()]
        self._writer.add_event(
            Event(
                wall_time=line.get("time", time.time()),
                step=int(line.get("step", 0)),
                summary=Summary(value=values),
            )
        )

    def flush(self) -> None:
        """Put what was added onto the disk."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Flush and end the file; the next figure begins another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
