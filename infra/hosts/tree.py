"""A folder as a table of checksums, computed the same way here and on a host."""

import fnmatch
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Host

LIST = 'cd -- "$1" 2>/dev/null || exit 44; find . -type f ! -name "$2" -exec {} {{}} +'
"""Prints `digest  ./path` a line; sha256sum on Linux, shasum on macOS."""
STAMP = ".sonarstack"
"""File that says an uploaded folder is ours; never part of its contents."""


def local_tree(folder: Path, exclude: Sequence[str] = ()) -> dict[str, str]:
    """Path in the folder to sha256, for every file that no pattern excludes."""
    return {name: _sha256(folder / name) for name in local_names(folder, exclude)}


def local_names(folder: Path, exclude: Sequence[str] = ()) -> list[str]:
    """Paths of the folder's files, sorted; a pattern excludes a file or a whole folder by its name."""
    return sorted(_walk(folder, folder, exclude))


def remote_tree(host: Host, folder: str, *, timeout_s: float = 600.0) -> dict[str, str] | None:
    """The same for a folder on a host; None if it is not there.

    Raises:
        HostError: the host cannot be reached, or has no program for sha256.
    """
    for program in ("sha256sum", "shasum -a 256"):
        done = host.run(["sh", "-c", LIST.format(program), "tree", folder, STAMP], timeout_s=timeout_s)
        if done.code == 44:
            return None
        if done.code == 0:
            return dict(_entries(done.out.decode(errors="surrogateescape")))
    raise HostError(f"{folder} on {host.address} cannot be checked: {done.err}; install sha256sum there")


def tree_digest(tree: dict[str, str]) -> str:
    """One sha256 for the whole table: equal where every path and content is."""
    digest = hashlib.sha256()
    for name, content in sorted(tree.items()):
        digest.update(f"{content}  {name}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _walk(root: Path, folder: Path, exclude: Sequence[str]) -> Iterator[str]:
    for path in folder.iterdir():
        if path.name == STAMP or any(fnmatch.fnmatch(path.name, pattern) for pattern in exclude):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(root, path, exclude)
        elif path.is_file():
            yield path.relative_to(root).as_posix()


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        # A name with a backslash or line break is escaped, and its line begins with a backslash.
        escaped = line.startswith("\\")
        digest, _, name = line.lstrip("\\").partition("  ")
        if escaped:
            name = name.replace("\\n", "\n").replace("\\\\", "\\")
        yield name.removeprefix("./"), digest


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
