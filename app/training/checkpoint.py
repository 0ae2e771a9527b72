"""What a run goes on from; read before its network is built, whose shape it tells."""

import io
from dataclasses import dataclass
from typing import Any

import torch

from app.detector.network import DetectorConfig
from app.errors import RunError

VERSION = 2
READABLE = (1, VERSION)
"""Version 1 does not tell the network's shape."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One file's content, on the device that goes on."""

    name: str
    """Of the file, for messages."""
    state: dict[str, Any]

    @classmethod
    def read(cls, content: bytes, name: str, device: torch.device) -> "Checkpoint":
        """Read what `Session.write_checkpoint` wrote.

        Raises:
            RunError: it is of another version.
        """
        state = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
        if state.get("version") not in READABLE:
            raise RunError(
                f"{name} has version {state.get('version')}, this program reads {' and '.join(map(str, READABLE))}; "
                "continue it with the sonarstack that wrote it, or start a new --run"
            )
        return cls(name=name, state=state)

    @property
    def network(self) -> DetectorConfig | None:
        """Shape of the network; None where it is that of the model that the run started from."""
        told = self.state.get("network")
        return None if told is None else DetectorConfig(**told)
