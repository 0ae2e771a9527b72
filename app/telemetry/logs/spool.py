"""Lines that wait on the disk to be sent: appended by one thread, read and ticked off by another, bounded.

Files NNNNNNNN.jsonl of about a mebibyte, and cursor.json that tells up to where all is sent. A process never appends to
a file of an earlier one: what a crash left of a last line is passed over.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

LIMIT_BYTES = 64 * 2**20
"""Some 100 000 records: a day of training that logs a step a second."""
SEGMENT_BYTES = 2**20
CURSOR = "cursor.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The oldest lines that are not sent."""

    segment: int
    lines: tuple[bytes, ...]
    ends: tuple[int, ...]
    """Offset in the segment after each line."""


class Spool:
    """A folder of its own, of one process at a time."""

    def __init__(
        self, folder: Path, *, limit_bytes: int = LIMIT_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """Take up what an earlier process left.

        Raises:
            OSError: the folder cannot be made or read.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._limit_bytes, self._segment_bytes = limit_bytes, segment_bytes
        self._lock = Lock()
        self._sizes = {int(p.stem): p.stat().st_size for p in sorted(folder.glob("[0-9]*.jsonl"))}
        self._segment, self._offset = self._read_cursor()
        self._current = max(self._sizes, default=0) + 1
        self.lost = 0
        """Lines that the bound pushed out unsent."""
        self.waiting = sum(self._count(n) for n in self._sizes)
        self._drop_sent()

    def _read_cursor(self) -> tuple[int, int]:
        first = min(self._sizes, default=1)
        try:
            told = json.loads((self.folder / CURSOR).read_text())
            segment, offset = int(told["segment"]), int(told["offset"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return first, 0  # sent twice rather than not at all
        if not self._sizes:  # of a folder that was being removed: it knows of no line that is still to come
            return first, 0
        return (segment, offset) if segment >= first else (first, 0)

    def _path(self, segment: int) -> Path:
        return self.folder / f"{segment:08d}.jsonl"

    def _count(self, segment: int) -> int:
        """Lines of a segment that are not sent."""
        if segment < self._segment:
            return 0
        with self._path(segment).open("rb") as stream:
            stream.seek(self._offset if segment == self._segment else 0)
            return stream.read().count(b"\n")

    def append(self, line: bytes) -> None:
        """Add a line, with its newline; the oldest go where the bound is passed.

        Raises:
            OSError: the disk does not take it.
        """
        with self._lock:
            size = self._sizes.get(self._current, 0)
            if size and size + len(line) > self._segment_bytes:
                self._current += 1
            try:
                with self._path(self._current).open("ab") as stream:
                    stream.write(line)
            except OSError:
                self._current += 1  # half of it may be there
                raise
            self._sizes[self._current] = self._sizes.get(self._current, 0) + len(line)
            self.waiting += 1
            while sum(self._sizes.values()) > self._limit_bytes and len(self._sizes) > 1:
                self._push_out(min(self._sizes))

    def _push_out(self, segment: int) -> None:
        lost = self._count(segment)
        self.lost += lost
        self.waiting -= lost
        self._remove(segment)
        if self._segment <= segment:
            self._segment, self._offset = segment + 1, 0

    def _remove(self, segment: int) -> None:
        self._path(segment).unlink(missing_ok=True)
        del self._sizes[segment]

    def read(self, max_lines: int, max_bytes: int) -> Batch | None:
        """The oldest lines that wait, as many as fit; at least one; None where none waits."""
        with self._lock:
            for segment in sorted(n for n in self._sizes if n >= self._segment):
                start = self._offset if segment == self._segment else 0
                with self._path(segment).open("rb") as stream:
                    stream.seek(start)
                    whole = stream.read().split(b"\n")[:-1]
                if not whole:
                    continue
                lines: list[bytes] = []
                ends: list[int] = []
                end, size = start, 0
                for line in whole[:max_lines]:
                    size += len(line)
                    if lines and size > max_bytes:
                        break
                    end += len(line) + 1
                    lines.append(line)
                    ends.append(end)
                return Batch(segment=segment, lines=tuple(lines), ends=tuple(ends))
            return None

    def tick_off(self, batch: Batch, count: int) -> None:
        """The first so many lines of the batch are sent.

        Raises:
            OSError: the disk does not take the note of it.
        """
        if count == 0:
            return
        with self._lock:
            if batch.segment < self._segment:
                return  # pushed out meanwhile, and counted
            self.waiting -= count
            self._segment, self._offset = batch.segment, batch.ends[count - 1]
            self._drop_sent()
            self._write_cursor()

    def _drop_sent(self) -> None:
        for segment in [n for n in self._sizes if n < self._segment]:
            self._remove(segment)

    def _write_cursor(self) -> None:
        # Not synced: after a crash of the machine some may be sent twice, and the disk is spared.
        part = self.folder / f".{CURSOR}.part"
        part.write_text(json.dumps({"segment": self._segment, "offset": self._offset}))
        part.replace(self.folder / CURSOR)

    def clear(self) -> None:
        """Remove the folder, if nothing waits in it."""
        with self._lock:
            if self.waiting:
                return
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()
