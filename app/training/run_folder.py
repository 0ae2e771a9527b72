"""The run: one folder that holds all that a training did, and survives a crash at any moment."""

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from app.errors import OutputError, RunError
from app.mirror import Mirror
from app.seal.sealed_mirror import SealedMirror
from app.storage import UNFINISHED, atomic_write, require_writable, sha256_file, write_json, write_text
from app.training.manifest import write_manifest
from app.training.metrics import Board, MetricsFile

RECORD = "run.json"
LOG = "log.jsonl"
LATEST = "latest.json"


class RunFolder:
    """Paths, records and checkpoints of one run, with a copy elsewhere if a mirror is given.

    Layout: run.json, metrics.jsonl, log.jsonl, checkpoints/, tensorboard/, model/, report.html, manifest.json.
    """

    def __init__(self, path: Path, *, mirror: str | SealedMirror | None = None) -> None:
        self.path = path
        self.best_model = path / "model" / "best.pt"
        self.notes: list[str] = []
        """What went wrong on the way and was got over, one line each: for the log."""
        self._checkpoints = path / "checkpoints"
        self._metrics = MetricsFile(path / "metrics.jsonl")
        self._board = Board(path / "tensorboard")
        self._mirror = Mirror(path, mirror) if isinstance(mirror, str) else mirror
        # Of a sealed run, the one file that is followed from outside while it is written.
        self._live = MetricsFile(mirror.figures) if isinstance(mirror, SealedMirror) else None
        self._writing = Lock()
        self.listener: Callable[[dict[str, Any]], None] = _nobody
        """Hears each line of metrics.jsonl and each checkpoint, once it is written."""
        self.tell: Callable[[str], None] = self.notes.append
        """Is told when the mirror begins to fail, and when it takes the run again."""
        self._restored = self._mirror_fails = False
        self._log = MetricsFile(path / LOG)
        self._log_waits: deque[dict[str, Any]] = deque()
        self._settled = True
        """Nothing was written since the manifest, or not by this process: the log stays as the manifest knows it."""

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / RECORD).is_file()

    @property
    def place(self) -> Path:
        """Where people find it: of a sealed run not the folder in memory."""
        return (self._mirror.place if isinstance(self._mirror, SealedMirror) else self.path).absolute()

    @property
    def is_sealed(self) -> bool:
        """Whether nothing of its data may be told."""
        return isinstance(self._mirror, SealedMirror)

    def require_writable(self) -> None:
        """Try folder and mirror before the work starts.

        Raises:
            OutputError: one of them cannot be written.
        """
        require_writable(self.path)
        if self._mirror is not None:
            self._mirror.require_writable()

    def restore(self) -> bool:
        """Bring the run home from its mirror where that is further than this folder; whether it was.

        The mirror is looked at once: a run has one writer, and what lies there later this process has put there.

        Raises:
            OutputError: the mirror cannot be read, or holds another run.
        """
        if self._mirror is None or self._restored:
            return False
        names = self._mirror.names()
        there = max((_step(n) for n in names if _is_checkpoint(n)), default=-1)
        newest = self._newest_whole()
        here = _step(newest.name) if newest is not None else -1
        is_further = bool(names) and (there > here or not self.exists)
        if is_further:
            if self.exists:
                self._mirror.refuse_another()
            self.notes += self._mirror.pull()
        self._restored = True
        return is_further

    def write_record(self, record: dict[str, Any]) -> None:
        """Begin a run: what is run, with recipe, data, split, device plan and libraries.

        Raises:
            OutputError: folder or mirror cannot be written, or the mirror holds another run.
        """
        with self._writing:  # the log of another thread must not grow under the mirror
            self._settled = False
            write_json(self.path / RECORD, record)
            self._write_log()
            if self._mirror is not None:
                self._mirror.push()

    def read_record(self) -> dict[str, Any]:
        """What `write_record` wrote.

        Raises:
            RunError: there is no run here, or its record is damaged.
        """
        path = self.path / RECORD
        try:
            record = json.loads(path.read_text())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RunError(
                f"{self.path} holds no run ({RECORD} is missing); give the folder of a training"
            ) from error
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read ({type(error).__name__}); restore it from the run's mirror"
            ) from error
        if not isinstance(record, dict):
            raise RunError(f"{path} is not a run's record; restore it from the run's mirror")
        return record

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl and its numbers to TensorBoard.

        Args:
            line: `kind` and `step` beside the figures.

        Raises:
            OutputError: it cannot be written.
        """
        with self._writing:
            self._append(line)
            self._board.add(line)
        self.listener(line)

    def append_log(self, record: dict[str, Any]) -> None:
        """Add a record to log.jsonl; while another thread writes here it waits its turn, and nobody for it.

        So it does where a manifest stands that would not be true any more: until the next line, checkpoint or manifest.
        A disk that does not take it is noted once and no reason to stop.
        """
        self._log_waits.append(record)
        if self._writing.acquire(blocking=False):
            try:
                if not self._settled:
                    self._write_log()
            finally:
                self._writing.release()

    def _write_log(self) -> None:
        while self._log_waits:
            try:
                self._log.append(self._log_waits.popleft())
            except OutputError as error:
                if str(error) not in self.notes:
                    self.notes.append(str(error))

    def _append(self, line: dict[str, Any]) -> None:
        self._settled = False
        self._metrics.append(line)
        if self._live is not None:
            self._live.append(line)

    def read_metrics(self) -> list[dict[str, Any]]:
        """All whole lines of metrics.jsonl, in order.

        Raises:
            RunError: the file is damaged.
        """
        try:
            return self._metrics.read()
        except ValueError as error:
            raise RunError(
                f"{self.path / 'metrics.jsonl'} is damaged ({error}); restore it from the run's mirror"
            ) from error

    def read_whole_metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl that can be read, for whom a damaged one is no reason to stop."""
        return self._metrics.read_whole()

    def spent_usd(self) -> float:
        """Dollars that the run says it has cost, on whatever machines; 0 before its first figures."""
        told = [line.get("usd") for line in self.read_whole_metrics()]
        return max((float(usd) for usd in told if isinstance(usd, int | float)), default=0.0)

    def save_checkpoint(self, step: int, write: Callable[[BinaryIO], None], *, keep: int) -> Path:
        """Write a checkpoint and its checksum, point `latest.json` at it, drop the oldest, then mirror.

        A mirror that fails does not stop the run; it is told and tried again at the next checkpoint.

        Raises:
            OutputError: the disk does not take it; the older checkpoints are untouched.
        """
        with self._writing:
            path = self._save_checkpoint(step, write, keep)
        self.listener({"kind": "checkpoint", "step": step, "bytes": path.stat().st_size})
        return path

    def _save_checkpoint(self, step: int, write: Callable[[BinaryIO], None], keep: int) -> Path:
        self._settled = False
        path = self._checkpoints / f"step-{step:08d}.pt"
        with atomic_write(path) as stream:
            write(stream)
        digest = sha256_file(path)
        write_text(_checksum(path), f"{digest}  {path.name}\n")
        write_json(self._checkpoints / LATEST, {"file": path.name, "step": step, "sha256": digest})
        for old in self._all_checkpoints()[keep:]:
            old.unlink(missing_ok=True)
            _checksum(old).unlink(missing_ok=True)
        self._push_if_possible()
        return path

    def newest_checkpoint(self) -> Path | None:
        """The newest checkpoint that is whole, of this folder or its mirror; None before the first.

        Raises:
            RunError: there are checkpoints, and all of them are damaged.
            OutputError: the mirror cannot be read.
        """
        self.restore()
        newest = self._newest_whole()
        damaged = [p for p in self._all_checkpoints() if newest is None or p.name > newest.name]
        self.notes += [f"{path} is damaged and passed over" for path in damaged]
        # Written last: without it, a process was killed while it wrote the first one, and nothing is lost.
        if newest is None and damaged and (self._checkpoints / LATEST).is_file():
            raise RunError(
                f"every checkpoint in {self._checkpoints} is damaged; remove that folder to start over, "
                "or bring the run's mirror back"
            )
        return newest

    def clear_leftovers(self) -> None:
        """Remove what a process that was killed while writing left; only for who is about to write here."""
        for leftover in self._checkpoints.glob(f".*{UNFINISHED}"):
            leftover.unlink(missing_ok=True)

    def _newest_whole(self) -> Path | None:
        return next((path for path in self._all_checkpoints() if _is_whole(path)), None)

    def _all_checkpoints(self) -> list[Path]:
        return sorted(self._checkpoints.glob("step-*.pt"), key=lambda p: _step(p.name), reverse=True)

    def write_manifest(self, *, complete: bool) -> None:
        """Checksums of everything in the run; `complete` only when the job is done. Then mirror.

        Raises:
            OutputError: this disk or the mirror does not take it.
        """
        with self._writing:
            self._board.close()
            self._write_log()
            self._settled = True
            write_manifest(self.path, complete=complete)
            if self._mirror is not None:
                self._mirror.push()

    def end_from_outside(self, line: dict[str, Any], *, wait_s: float) -> bool:
        """The last line of metrics.jsonl and the manifest, by another thread than the one that hangs.

        Returns:
            False, with nothing written, where that one hangs in the middle of writing here itself.

        Raises:
            OutputError: this disk or the mirror does not take it.
        """
        if not self._writing.acquire(timeout=wait_s):
            return False
        try:
            self._append(line)
            self.listener(line)
            self._write_log()
            self._settled = True
            write_manifest(self.path, complete=False)
            if self._mirror is not None:
                self._mirror.push()
        finally:
            self._writing.release()
        return True

    def _push_if_possible(self) -> None:
        if self._mirror is None:
            return
        self._write_log()
        self._board.flush()
        trouble: str | None = None
        try:
            self._mirror.push()
        except OutputError as error:
            if isinstance(self._mirror, SealedMirror):  # nothing else holds it: this folder is in memory
                raise
            trouble = str(error)
        if isinstance(self._mirror, SealedMirror):
            trouble = self._mirror.behind
        if trouble is not None and not self._mirror_fails:
            self.tell(f"warning: {trouble}; it is tried again at each checkpoint")
        elif trouble is None and self._mirror_fails:
            self.tell("the mirror takes the run again")
        self._mirror_fails = trouble is not None


def _nobody(_line: dict[str, Any]) -> None:
    """Hears nothing."""


def _is_checkpoint(name: str) -> bool:
    return name.startswith("checkpoints/step-") and name.endswith(".pt")


def _step(name: str) -> int:
    digits = Path(name).stem.removeprefix("step-")
    return int(digits) if digits.isdecimal() else -1


def _checksum(path: Path) -> Path:
    """Beside the checkpoint, in the form that `sha256sum -c` reads."""
    return path.with_name(f"{path.name}.sha256")


def _is_whole(path: Path) -> bool:
    try:
        told = _checksum(path).read_text().split()
    except (OSError, UnicodeDecodeError):  # killed between checkpoint and checksum
        return False
    return bool(told) and told[0] == sha256_file(path)
