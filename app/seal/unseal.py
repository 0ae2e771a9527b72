"""Sealed data comes into memory: every file verified, or none used."""

from pathlib import Path

from app.errors import SealError
from app.seal.folder import Mark, read_index, read_mark, unseal
from app.seal.key import SealKey


def sealed_data_mark(folder: Path) -> Mark:
    """What the sealed data takes.

    Raises:
        SealError: the folder is not sealed.
    """
    mark = read_mark(folder)
    if mark is None:
        raise SealError(
            f"{folder} is not sealed, but the run is: seal the data before it comes here, or train without a key"
        )
    return mark


def unseal_data(folder: Path, mark: Mark, key: SealKey, target: Path) -> tuple[str, ...]:
    """Unseal every file of the data into `target`; the names of the files.

    Raises:
        SealError: another key, or a file that is missing, cut or changed.
        OutputError: the memory is full.
    """
    index = read_index(folder, mark, key)
    for name, file in index.files.items():
        unseal(folder, name, file, key, target / name)
    return tuple(index.files)
