"""Which files a user means by paths and folders."""

from collections.abc import Sequence
from pathlib import Path

from app.errors import SonarFileError
from app.sonar.recording import IMAGE_SUFFIXES


def recordings_in(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of folders every .xtf below them, or where there is none every picture; each file once.

    Raises:
        SonarFileError: a path is neither file nor folder, or a folder holds no recording.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            # Before anything heavy is imported: a mistyped name is the most common mistake.
            if not path.is_file():
                raise SonarFileError(f"{path} is not a file; check the path")
            files.append(path)
            continue
        below = sorted(p for p in path.rglob("*") if p.is_file())
        found = [p for p in below if p.suffix.lower() == ".xtf"]
        found = found or [p for p in below if p.suffix.lower() in IMAGE_SUFFIXES]
        if not found:
            raise SonarFileError(f"{path} holds no recording; give .xtf files or pictures of waterfalls")
        files += found
    # A file beside its folder, or by two ways to it, is still one recording: its contacts must not count twice.
    once: dict[Path, Path] = {}
    for file in files:
        once.setdefault(file.resolve(), file)
    return list(once.values())
