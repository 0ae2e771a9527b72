"""What a rehearsal has made: one JSON file, written whole after each step.

Secrets lie in it in the clear, so it is for its user's eyes alone; a real stack has the engine, which encrypts them.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any


@dataclass(kw_only=True, slots=True)
class Kept:
    """A resource that is there."""

    urn: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    secrets: list[str] = field(default_factory=list)
    """Keys of inputs and outputs whose values are secret."""
    needs: list[str] = field(default_factory=list)
    """Urns that must be there before it."""
    property_needs: dict[str, list[str]] = field(default_factory=dict)
    """Input to the urns that its value comes from."""
    problems: list[str] = field(default_factory=list)
    """Why its making was not finished."""

    @property
    def name(self) -> str:
        """As the program calls it."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def token(self) -> str:
        """Its type."""
        return self.urn.split("::")[-2].rsplit("$", 1)[-1]


class State:
    """Of one stack."""

    def __init__(self, path: Path) -> None:
        """`path` need not be there yet."""
        self._path = path
        told = json.loads(path.read_text()) if path.is_file() else {}
        self.outputs: dict[str, Any] = told.get("outputs", {})
        self._kept = {one["urn"]: Kept(**one) for one in told.get("resources", ())}

    def get(self, urn: str) -> Kept | None:
        """The resource, if it is there."""
        return self._kept.get(urn)

    def put(self, one: Kept) -> Kept:
        """Keep it, on the disk when this returns."""
        self._kept[one.urn] = one
        self.save()
        return one

    def drop(self, urn: str) -> None:
        """Forget it."""
        del self._kept[urn]
        self.save()

    def in_order(self) -> list[Kept]:
        """All of them, what others need first."""
        needs = {urn: [need for need in one.needs if need in self._kept] for urn, one in self._kept.items()}
        return [self._kept[urn] for urn in TopologicalSorter(needs).static_order()]

    def save(self) -> None:
        """Write the file anew, at once or not at all."""
        text = json.dumps(
            {"outputs": self.outputs, "resources": [asdict(one) for one in self._kept.values()]}, indent=1
        )
        part = self._path.with_suffix(".part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        part.replace(self._path)
