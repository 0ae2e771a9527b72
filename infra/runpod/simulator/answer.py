"""A request as its handler sees it, and what the handler answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """Read, allowed and checked."""

    id: str
    """Of the path; empty where it has none."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    fields: Mapping[str, Any]
    """The body."""
    lowercase: bool = False
    """A fault: data centres are answered in lower case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON, nothing, or a stream of events."""

    status: int
    body: Any = None
    stream: Iterator[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
