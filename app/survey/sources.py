"""What the files of a survey are called: by their names, and where these do not tell them apart, by folders too."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def source_names(files: Sequence[Path]) -> list[str]:
    """One name for each path, no two alike, with forward slashes on every system.

    A name that nobody else has stays as it is; `day1/a.xtf` and `day2/a.xtf` are called so, with no more folders
    than are needed. The same path again is numbered: `a.xtf (2)`.
    """
    paths = [file.absolute() for file in files]  # `a.xtf` and `day2/a.xtf`: the first has a folder too
    ends = Counter(end for path in set(paths) for end in _ends(path))
    seen: Counter[Path] = Counter()
    names = []
    for path in paths:
        seen[path] += 1
        name = next(end for end in _ends(path) if ends[end] == 1)
        names.append(name if seen[path] == 1 else f"{name} ({seen[path]})")
    return names


def _ends(path: Path) -> list[str]:
    """Its name, then with one folder, two, and so on to the root."""
    return [Path(*path.parts[-count:]).as_posix() for count in range(1, len(path.parts) + 1)]
