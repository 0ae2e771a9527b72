"""IAM documents among the inputs, as their statements."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Statement = Mapping[str, Any]


def statements(value: Any) -> Iterator[Statement]:
    """Of a document as text or as a map; none of one that is not known yet, or that is no JSON, which AWS refuses."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, Mapping):
        found = value.get("Statement", ())
        yield from [found] if isinstance(found, Mapping) else found


def words(value: Any) -> Sequence[str]:
    """IAM writes a list of one as the one."""
    return [value] if isinstance(value, str) else list(value or ())


def is_anyone(statement: Statement) -> bool:
    """Whether its principal is everybody."""
    principal = statement.get("Principal")
    if principal == "*" or "NotPrincipal" in statement:
        return True
    return isinstance(principal, Mapping) and "*" in words(principal.get("AWS"))
