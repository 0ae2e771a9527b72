"""A run in a bucket, fetched whole beside its home before it goes there."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.buckets.folder import fetch_folder
from infra.buckets.store import ObjectStore
from infra.errors import RunHomeError
from infra.hosts.tree import shown


@contextmanager
def fetched_run(
    store: ObjectStore, prefix: str, home: Path, *, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Path]:
    """A folder with the run as the bucket has it; gone afterwards, unless something failed: another try goes on there.

    Raises:
        HostError: the bucket does not answer.
        RunHomeError: a file is missing there, or is not what its checksum says.
    """
    folder = home.with_name(f"{home.name}.fetched")
    wrong = fetch_folder(store, prefix, folder, cancelled=cancelled)
    if wrong:
        raise RunHomeError(
            f"{len(wrong)} files of {store.address}/{prefix} are missing or damaged there, {shown(wrong[0])} first; "
            "the bucket keeps older versions of them"
        )
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
