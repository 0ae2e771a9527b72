"""Where this machine keeps what outlives a project's folder: leases and keys. Never part of Pulumi's state."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def state_folder(variables: Mapping[str, str] | None = None) -> Path:
    """`$XDG_STATE_HOME/sonarstack`, or ~/.local/state/sonarstack; made for its user's eyes only."""
    values = os.environ if variables is None else variables
    base = values.get("XDG_STATE_HOME") or str(Path(values.get("HOME") or Path.home()) / ".local" / "state")
    folder = Path(base) / "sonarstack"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step, for its user's eyes only, on the disk when this returns.

    Others read the old text or the new one; a try that fails leaves nothing behind.

    Raises:
        OSError: it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-", suffix=".part")  # 0600
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
