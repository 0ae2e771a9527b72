"""Takes secrets out of texts: those it was told, and those that look like one."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

HIDDEN = "(hidden)"
SHORTEST = 6
"""A shorter part of an address says nothing, and would eat words of every text."""
LOOKS_SECRET = re.compile(
    r"""(?x)
    AGE-SECRET-KEY-1[0-9A-Za-z]+
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                      # ids of AWS keys
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*                  # JSON web tokens
    | \b(?:ghp|gho|ghs|glpat|xoxb|xoxp|sk|rpa|hf)[_-][\w-]{16,}
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                    # user:password@host
    | (?i:(?<=[?&;\s])|^)(?i:x-amz-signature|x-amz-credential|x-amz-security-token|signature|sig|token|
        access_token|api_?key|secret|password|passwd)=[^&\s;]+
    | (?<=[Bb]earer\ )[\w.~+/=-]{8,}
    """
)


class Scrub:
    """A text as it may be told."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        """Args: `secrets` that must never be told; of an address also those of its parts that may be tokens."""
        told = {text for secret in secrets if secret for text in (secret, unquote(secret))}
        words = told | {part for text in told for part in _secret_parts(text)}
        ordered = sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text with `(hidden)` in the place of each secret."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return LOOKS_SECRET.sub(HIDDEN, text)


def _secret_parts(address: str) -> Iterator[str]:
    """User, password and values of the query; elsewhere what is no word or name of a host, which texts may need."""
    found = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", address)
    if found is None:
        return
    rest, _, query = address[found.end() :].partition("?")
    who, at, where = rest.rpartition("@")
    if at:
        yield from who.split(":")
    yield from (pair.partition("=")[2] for pair in re.split("[&;#]", query))
    for part in re.split(r"[/:\s,]+", where):
        if (re.search(r"\d", part) and re.search(r"[A-Za-z]", part)) or (len(part) >= 16 and "." not in part):
            yield part
