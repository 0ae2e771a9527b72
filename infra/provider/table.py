"""What a kind of resource is for the plugin: a table of plain verbs, run in threads."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from infra.errors import InfraError

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """The circumstances of one call."""

    cancelled: threading.Event
    """Set when the user presses Ctrl-C; every wait looks at it."""
    timeout_s: float | None = None
    """The resource's custom timeout; None if it has none."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The plugin's environment at this moment."""
    say: Callable[[str], None] = lambda _: None
    """Shows what a wait is waiting for, beside the resource."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A resource that is there now."""

    id: str
    outputs: Values


class InitFailedError(InfraError):
    """A resource was made, and then something failed: it stays in the state, with the reason."""

    def __init__(self, reason: str, made: Made) -> None:
        super().__init__(reason)
        self.made = made


class Table(Protocol):
    """Verbs of one kind of resource; values are plain, keys camelCase."""

    @property
    def token(self) -> str:
        """The resource's type: sonarstack:index:Name."""

    @property
    def replaces(self) -> frozenset[str]:
        """Inputs whose change makes another resource, the old one deleted first."""

    @property
    def computed(self) -> tuple[str, ...]:
        """Outputs that only `create` can tell."""

    def check(self, inputs: Values) -> dict[str, str]:
        """What is wrong, by property; unknown values are never wrong."""

    def create(self, call: Call, inputs: Values) -> Made:
        """Make it. Raises InfraError: nothing was made; InitFailedError: it was."""

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """Its outputs now; None if it is gone."""

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """Outputs that are no longer as the state has them; asked at every preview and up."""

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """Change it in place, or look again; the new outputs."""

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """End it; fine if it is gone already."""


@runtime_checkable
class Importable(Protocol):
    """A kind of resource that can be taken up by its id alone (`pulumi import`)."""

    def imported(self, call: Call, id_: str) -> tuple[str, Values, Values] | None:
        """Its id in the state, inputs and outputs; None if there is no such thing of ours."""


def require(inputs: Values, *names: str) -> dict[str, str]:
    """The named inputs that are missing."""
    return {name: "is missing" for name in names if inputs.get(name) in (None, "", [], {})}
