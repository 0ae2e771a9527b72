"""The run: one folder that holds all that a training did, and survives a crash at any moment."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from app.errors import RunError
from app.storage import Mirror, atomic_write, output_error, sha256_file, write_json

MANIFEST = "manifest.json"
LATEST = "latest.json"


class RunFolder:
    """Paths, records and checkpoints of one run.

    Layout: run.json, metrics.jsonl, checkpoints/, tensorboard/, model/, report.html, manifest.json.
    """

    def __init__(self, path: Path, *, mirror: str | None = None) -> None:
        self.path = path
        self.best_model = path / "model" / "best.pt"
        self._checkpoints = path / "checkpoints"
        self._metrics = path / "metrics.jsonl"
        self._mirror = Mirror(path, mirror) if mirror is not None else None
        self._board: Any = None

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "run.json").is_file()

    def write_record(self, record: dict[str, Any]) -> None:
        """What is run: recipe, data, split, device plan, libraries."""
        write_json(self.path / "run.json", record)

    def read_record(self) -> dict[str, Any]:
        """What `write_record` wrote.

        Raises:
            RunError: there is no run here, or its record is damaged.
        """
        path = self.path / "run.json"
        try:
            record = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise RunError(
                f"{self.path} holds no run (run.json is missing); give the folder of a training"
            ) from error
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read ({error}); restore it from the run's mirror") from error
        if not isinstance(record, dict):
            raise RunError(f"{path} is not a run's record; restore it from the run's mirror")
        return record

    def append_metrics(self, line: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl and TensorBoard; a line torn by a crash is closed first."""
        text = json.dumps(line, allow_nan=False, default=float) + "\n"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._metrics.open("ab+") as stream:
                if stream.tell() and not self._ends_whole(stream):
                    stream.write(b"\n")
                stream.write(text.encode())
        except OSError as error:
            raise output_error(self._metrics, error) from error
        self._to_board(line)

    @staticmethod
    def _ends_whole(stream: BinaryIO) -> bool:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"

    def read_metrics(self) -> list[dict[str, Any]]:
        """All whole lines of metrics.jsonl, in order."""
        if not self._metrics.is_file():
            return []
        lines = []
        for text in self._metrics.read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:  # the line that a crash cut short
                continue
        return lines

    def _to_board(self, line: dict[str, Any]) -> None:
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.path / "tensorboard"))
        kind = line.get("kind", "step")
        for name, value in line.items():
            if isinstance(value, int | float) and name not in ("step", "epoch"):
                self._board.add_scalar(f"{kind}/{name}", value, line.get("step", 0))

    def save_checkpoint(self, step: int, write: Callable[[BinaryIO], None], *, keep: int) -> Path:
        """Write a checkpoint, its checksum, then `latest.json`; drop the oldest; mirror."""
        path = self._checkpoints / f"step-{step:08d}.pt"
        with atomic_write(path) as stream:
            write(stream)
        digest = sha256_file(path)
        write_json(path.with_suffix(".sha256.json"), {"sha256": digest})
        write_json(self._checkpoints / LATEST, {"file": path.name, "step": step, "sha256": digest})
        for old in sorted(self._checkpoints.glob("step-*.pt"))[:-keep]:
            old.unlink(missing_ok=True)
            old.with_suffix(".sha256.json").unlink(missing_ok=True)
        if self._mirror is not None:
            self._mirror.push()
        return path

    def newest_checkpoint(self) -> Path | None:
        """The newest checkpoint that is whole, of this folder or its mirror; None before the first.

        Raises:
            RunError: there are checkpoints, and all of them are damaged.
        """
        if self._mirror is not None and not self.exists:
            self._mirror.pull()
        candidates = sorted(self._checkpoints.glob("step-*.pt"), reverse=True)
        for path in candidates:
            if self._whole(path):
                return path
        if candidates:
            raise RunError(
                f"every checkpoint in {self._checkpoints} is damaged; remove that folder to start over, "
                "or bring the run's mirror back"
            )
        return None

    @staticmethod
    def _whole(path: Path) -> bool:
        try:
            told = json.loads(path.with_suffix(".sha256.json").read_text())["sha256"]
        except (OSError, ValueError, KeyError, TypeError):  # killed between checkpoint and checksum
            return False
        return bool(told == sha256_file(path))

    def write_manifest(self, *, complete: bool) -> None:
        """Checksums of everything in the run; `complete` only when the job is done. Mirrors afterwards."""
        if self._board is not None:
            self._board.close()
            self._board = None
        files = {name: sha256_file(path) for name, path in self._files().items()}
        write_json(self.path / MANIFEST, {"complete": complete, "files": files})
        if self._mirror is not None:
            self._mirror.push()

    def verify_manifest(self) -> list[str]:
        """Every difference between the manifest and the folder, one line each; empty where all agree.

        Raises:
            RunError: there is no readable manifest.
        """
        try:
            told: dict[str, str] = json.loads((self.path / MANIFEST).read_text())["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.path / MANIFEST} cannot be read ({error}); the run did not stop cleanly"
            ) from error
        here = self._files()
        problems = [f"{name} is missing" for name in told if name not in here]
        both = [name for name in told if name in here]
        problems += [f"{name} differs" for name in both if sha256_file(here[name]) != told[name]]
        return problems + [f"{name} is not in the manifest" for name in here if name not in told]

    def _files(self) -> dict[str, Path]:
        return {
            p.relative_to(self.path).as_posix(): p
            for p in sorted(self.path.rglob("*"))
            if p.is_file() and p.name != MANIFEST and not p.name.startswith(".")
        }
