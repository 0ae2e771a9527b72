"""Query parameters: each read once, with the refusal that the contract has for it. Unknown ones are ignored."""

import re
from collections.abc import Mapping

from infra.runpod.simulator.clock import seconds_of
from infra.runpod.simulator.problems import Problem

Query = Mapping[str, str]
CUDA = r"\d+\.\d+"


def words(query: Query, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Values between commas, each one of those allowed.

    Raises:
        Problem: 422.
    """
    given = _parts(query, name)
    for word in given:
        if word not in allowed:
            raise invalid(name, f"must be one of {', '.join(allowed)}")
    return given


def matching(query: Query, name: str, pattern: str) -> tuple[str, ...]:
    """Values between commas, each of the form.

    Raises:
        Problem: 422.
    """
    given = _parts(query, name)
    for word in given:
        if not re.fullmatch(pattern, word, re.ASCII):
            raise invalid(name, f"must match {pattern}")
    return given


def whole(query: Query, name: str, default: int, least: int, most: int | None = None) -> int:
    """A whole number.

    Raises:
        Problem: 422.
    """
    text = query.get(name)
    if text is None:
        return default
    if (
        not re.fullmatch(r"\d{1,9}", text, re.ASCII)
        or int(text) < least
        or (most is not None and int(text) > most)
    ):
        raise invalid(name, f"must be a whole number from {least}{f' to {most}' if most is not None else ''}")
    return int(text)


def flag(query: Query, name: str) -> bool | None:
    """true or false; None where it is not given.

    Raises:
        Problem: 422.
    """
    text = query.get(name)
    if text is None:
        return None
    if text not in ("true", "false"):
        raise invalid(name, "must be true or false")
    return text == "true"


def moment(query: Query, name: str) -> float | None:
    """A time of RFC 3339 in seconds; None where it is not given.

    Raises:
        Problem: 422.
    """
    text = query.get(name)
    if text is None:
        return None
    try:
        return seconds_of(text)
    except ValueError as error:
        raise invalid(name, "must be a time of RFC 3339") from error


def invalid(name: str, why: str) -> Problem:
    """422 of one parameter."""
    return Problem(422, "Request validation failed.", [f"query parameter '{name}': {why}"])


def _parts(query: Query, name: str) -> tuple[str, ...]:
    text = query.get(name)
    return tuple(text.split(",")) if text else ()
