"""Looking into an input that has inputs of its own, some of which may not be known yet."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy.subject import UNKNOWN, Unknown, parts


def within(value: Any, *path: str) -> Any:
    """What lies under these names; None if nothing does, `UNKNOWN` from where it is not known on."""
    for name in path:
        if value is UNKNOWN:
            return UNKNOWN
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def listed(value: Any, *path: str) -> Iterator[Mapping[str, Any]]:
    """The maps of the list that lies there."""
    found = within(value, *path)
    if not isinstance(found, Unknown):
        yield from parts(found)
