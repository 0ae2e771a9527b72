"""Unseals a run that came home: all of it, verified by its own manifest, or nothing."""

import hashlib
import shutil
import tempfile
from pathlib import Path

from infra.errors import RunHomeError, SealError
from infra.hosts.tree import local_tree
from infra.runs.figures import FIGURES
from infra.runs.home import HomeReceipt
from infra.runs.manifest import NOT_LISTED, RECORD, differences, read_manifest
from infra.seal.folder import read_index, read_mark, stored
from infra.seal.key import SealKey

CHECKPOINTS = "checkpoints"


def unseal_run(sealed: Path, home: Path, key: SealKey, *, strict: bool = True) -> HomeReceipt:
    """Open a sealed run into `home`, in which an earlier state of the same run is replaced.

    Args:
        sealed: where `bring_home` put it.
        strict: False for a run that still goes on or was killed: its files are newer than its manifest then, which
            is a note in the receipt.

    Raises:
        SealError: the run is sealed for another key, not whole or damaged; `home` is as it was.
        RunHomeError: it differs from its own manifest, or `home` holds another run; `home` is as it was.
    """
    mark = read_mark(sealed)
    if mark is None:
        if (sealed / RECORD).is_file():
            raise SealError(f"{sealed} holds a run that is not sealed; it can be used as it is")
        return HomeReceipt(home=str(home), files=0, bytes=0, began=False, complete=False)
    index = read_index(sealed, mark, key)
    home.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name[:80]}.", suffix=".part"))
    # Within it, since mkdtemp's own is for its user alone, and a new home is for whom any new folder is.
    opened = staging / home.name
    try:
        opened.mkdir()
        for name, file in index.files.items():
            target = opened / name
            target.parent.mkdir(parents=True, exist_ok=True)
            key.unseal_file(stored(sealed, file.sealed), target, sha256=file.sha256)
        if (sealed / FIGURES).is_file():
            shutil.copyfile(sealed / FIGURES, opened / FIGURES)
        _refuse_another_run(home, opened)
        complete, notes = _verify(opened, sealed, strict=strict)
        _put(opened, home)
    except OSError as error:
        raise SealError(
            f"{home} cannot be written ({error.strerror or error}); make room, or give another folder"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    names = local_tree(home, NOT_LISTED)
    return HomeReceipt(
        home=str(home),
        files=len(names),
        bytes=sum((home / name).stat().st_size for name in names),
        began=True,
        complete=complete,
        notes=tuple(notes),
    )


def _refuse_another_run(home: Path, opened: Path) -> None:
    mine, its = home / RECORD, opened / RECORD
    if mine.is_file() and its.is_file() and _digest(mine) != _digest(its):
        raise RunHomeError(
            f"{home} holds another run; move it away, or give another folder with sonarstack:home"
        )


def _verify(opened: Path, sealed: Path, *, strict: bool) -> tuple[bool, list[str]]:
    """Whether the job is done by its manifest, and what to know; raises where that must not be."""
    try:
        complete, wrong = read_manifest(opened)[0], differences(opened)
    except RunHomeError as error:
        if strict:
            raise RunHomeError(str(error).replace(str(opened), str(sealed))) from error
        return False, [str(error).replace(f"{opened}/", "")]
    if wrong and strict:
        shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise RunHomeError(f"the run in {sealed}, unsealed, differs from its manifest: {shown}")
    return complete, [f"{len(wrong)} files are newer than the manifest"] if wrong else []


def _put(opened: Path, home: Path) -> None:
    """A new home appears at once; in an old one each file replaces its namesake, and checkpoints the run dropped go."""
    if not home.exists():
        opened.rename(home)
        return
    new = local_tree(opened)
    for name in new:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (opened / name).replace(home / name)
    for path in (home / CHECKPOINTS).glob("step-*"):
        if f"{CHECKPOINTS}/{path.name}" not in new:
            path.unlink()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
