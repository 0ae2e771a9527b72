"""Where this machine keeps what outlives a project's folder: leases and keys. Never part of Pulumi's state."""

import os
from collections.abc import Mapping
from pathlib import Path


def state_folder(variables: Mapping[str, str] | None = None) -> Path:
    """`$XDG_STATE_HOME/sonarstack`, or ~/.local/state/sonarstack; made for its user's eyes only."""
    values = os.environ if variables is None else variables
    base = values.get("XDG_STATE_HOME") or str(Path(values.get("HOME") or Path.home()) / ".local" / "state")
    folder = Path(base) / "sonarstack"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
