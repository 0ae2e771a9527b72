"""The sealed copy of a run that is written in memory: brought up to date at each checkpoint, never torn.

PLACE/ run.json       clear, for who looks from outside: which recipe, how many epochs; no data, no names
       metrics.jsonl  clear: the figures, as they come
       sealed.json, sealed/   everything else; see folder.py
       manifest.json  clear: sha256 of all of these, so that a copy can be verified without the key
"""

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from app.errors import OutputError, SealError
from app.mirror import OWNER, Mirror
from app.seal.folder import (
    MARK,
    Index,
    Mark,
    SealedFile,
    parse_mark,
    read_index,
    read_mark,
    stored,
    sweep,
    unseal,
    write_index,
)
from app.seal.key import SealKey
from app.storage import UNFINISHED, atomic_write, require_writable, sha256_file, write_text

RECORD, FIGURES, MANIFEST = "run.json", "metrics.jsonl", "manifest.json"


class SealedMirror:
    """Offers what `Mirror` does; its far side is a folder of this machine that holds nothing in clear but figures."""

    def __init__(self, local: Path, place: Path, key: SealKey, *, beyond: str | None = None) -> None:
        """Open the place; nothing is written yet.

        Args:
            local: the run, in memory.
            place: where it lies sealed.
            beyond: address that the sealed folder is copied to after each push.
        """
        self.place, self.figures = place, place / FIGURES
        self.behind: str | None = None
        """Why the address beyond does not hold the last push; None where it does."""
        self._local, self._key = local, key
        self._beyond = Mirror(place, beyond) if beyond is not None else None
        self._digests: dict[Path, tuple[tuple[int, int], str]] = {}

    def require_writable(self) -> None:
        """Try the place, and the address beyond, before the work starts.

        Raises:
            OutputError: one cannot be written, or the place holds a run that is not sealed.
        """
        require_writable(self.place)
        if (self.place / RECORD).is_file() and read_mark(self.place) is None:
            raise OutputError(
                f"{self.place} holds a run that is not sealed; give another folder to a sealed one"
            )
        if self._beyond is not None:
            self._beyond.require_writable()

    def names(self) -> tuple[str, ...]:
        """Files of the run at the place, by their paths; none if nothing was ever pushed.

        A place that is behind the address beyond (another machine's disk) is brought up to it first.

        Raises:
            SealError: sealed for another key, or the index is damaged.
            OutputError: the address beyond cannot be read.
        """
        self._catch_up()
        state = self._state()
        return tuple(state[1].files) if state is not None else ()

    def refuse_another(self) -> None:
        """See `Mirror.refuse_another`; the folder in memory holds nothing but what came from the place."""

    def pull(self) -> tuple[str, ...]:
        """Unseal every file that differs in memory.

        Returns:
            One line for each that is missing or damaged; those are not brought.

        Raises:
            SealError: sealed for another key, or the index is damaged.
            OutputError: the memory is full.
        """
        state = self._state()
        if state is None:
            return ()
        problems = []
        for name, file in state[1].files.items():
            target = self._local / name
            if target.is_file() and sha256_file(target) == file.sha256:
                continue
            try:
                unseal(self.place, name, file, self._key, target)
            except SealError as error:
                problems.append(str(error))
        if self.figures.is_file():
            data = self.figures.read_bytes()
            with atomic_write(self._local / FIGURES) as stream:  # the last line may be torn
                stream.write(data[: data.rfind(b"\n") + 1])
        write_text(self._local / OWNER, f"{state[1].owner}\n")
        return tuple(problems)

    def push(self) -> int:
        """Seal what is new or changed; the number of files sealed.

        A copy beyond that fails is told by `behind` and tried again at the next push.

        Raises:
            OutputError: the place does not take it, or holds another run; what it held is whole.
        """
        state = self._state()
        owner = self._owner(state)
        files, changed = self._seal_files()
        index = Index(owner=owner, files=files)
        mark = state[0] if state is not None else None
        if mark is None or state is None or state[1] != index:
            generation = mark.generation + 1 if mark is not None else 1
            mark = write_index(self.place, index, self._key, generation=generation)
        self._write_clear(mark, index)
        sweep(self.place, mark, index)
        self._push_beyond()
        return changed

    def _state(self) -> tuple[Mark, Index] | None:
        mark = read_mark(self.place)
        return (mark, read_index(self.place, mark, self._key)) if mark is not None else None

    def _owner(self, state: tuple[Mark, Index] | None) -> str:
        """Who owns the place; refuses to overwrite another run."""
        mine = self._local / OWNER
        owner = mine.read_text().strip() if mine.is_file() else uuid.uuid4().hex
        if state is not None and state[1].owner != owner:
            raise OutputError(
                f"{self.place} holds another sealed run; resume that one, or give another folder"
            )
        if not mine.is_file():
            write_text(mine, f"{owner}\n")
        return owner

    def _seal_files(self) -> tuple[dict[str, SealedFile], int]:
        """What the index will say, and how many files had to be sealed for it."""
        files, changed = {}, 0
        for path in _files(self._local):
            name = path.relative_to(self._local).as_posix()
            if name == FIGURES or path.name == OWNER:
                continue
            digest = self._digest(path)
            file = SealedFile(
                sha256=digest, bytes=path.stat().st_size, sealed=self._key.name_of(name, digest)
            )
            if not stored(self.place, file.sealed).is_file():
                self._key.seal_file(path, stored(self.place, file.sealed))
                changed += 1
            files[name] = file
        return files, changed

    def _write_clear(self, mark: Mark, index: Index) -> None:
        """What may be read without the key."""
        record = _read_json(self._local / RECORD)
        if record is not None:
            _write_changed(self.place / RECORD, _public_record(record, index.owner))
        figures = self._local / FIGURES
        if figures.is_file() and (
            not self.figures.is_file() or self._digest(figures) != self._digest(self.figures)
        ):
            with figures.open("rb") as stream, atomic_write(self.figures) as copy:
                shutil.copyfileobj(stream, copy)
        complete = bool((_read_json(self._local / MANIFEST) or {}).get("complete"))
        _write_changed(self.place / MANIFEST, {"complete": complete, "files": self._listed(mark, index)})

    def _listed(self, mark: Mark, index: Index) -> dict[str, str]:
        """Checksums of everything at the place that belongs to the run."""
        sealed = [mark.index, *(file.sealed for file in index.files.values())]
        paths = [self.place / name for name in (MARK, RECORD, FIGURES)]
        paths += [stored(self.place, name) for name in sealed]
        return {
            path.relative_to(self.place).as_posix(): self._digest(path)
            for path in sorted(paths)
            if path.is_file()
        }

    def _digest(self, path: Path) -> str:
        """Its sha256; computed anew only where size or time changed."""
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns)
        if self._digests.get(path, (None,))[0] != stamp:
            self._digests[path] = (stamp, sha256_file(path))
        return self._digests[path][1]

    def _push_beyond(self) -> None:
        if self._beyond is None:
            return
        try:
            self._beyond.push()
            self.behind = None
        except OutputError as error:
            self.behind = str(error)

    def _catch_up(self) -> None:
        """Bring the place up to the address beyond where that is further."""
        if self._beyond is None:
            return
        text = self._beyond.read(MARK)
        if text is None:
            return
        there, here = parse_mark(text.decode(errors="replace"), MARK), read_mark(self.place)
        if here is None or here.generation < there.generation:
            if here is not None:
                self._beyond.refuse_another()
            problems = self._beyond.pull()
            if problems:
                raise OutputError(
                    f"{self.place} cannot be brought up to its copy: {problems[0]}; mend that, or start anew"
                )


def _files(folder: Path) -> list[Path]:
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != UNFINISHED]


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def _write_changed(path: Path, value: dict[str, Any]) -> None:
    """Leave a file alone that says this already."""
    text = json.dumps(value, indent=1) + "\n"
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def _public_record(record: dict[str, Any], owner: str) -> dict[str, Any]:
    """Of run.json what names no data: for figures in a table, and to tell one run from another."""
    config = record.get("config", {})
    return {
        "version": record.get("version"),
        "sealed": owner,
        "config": {name: config.get(name) for name in ("name", "epochs")},
        "code": record.get("code"),
    }
