"""Properties as the protocol has them, and as Python has them.

A secret is a value wrapped with a signature (pulumi sdk/go/common/resource/properties.go, 2026-08). Here a top-level
property counts as secret if anything in it is, so that nothing secret is ever answered in the clear.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, struct_pb2

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 the protocol's mark, not a secret
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for what only an `up` can tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Properties:
    """Plain values, and which of them are secret."""

    values: dict[str, Any]
    secrets: frozenset[str] = field(default=frozenset())


def decode(struct: struct_pb2.Struct) -> Properties:
    """Plain values of a message; whole numbers become ints, unknown ones stay `UNKNOWN`."""
    secrets = set()
    values = {}
    for key, value in json_format.MessageToDict(struct).items():
        values[key], secret = _plain(value)
        if secret:
            secrets.add(key)
    return Properties(values=values, secrets=frozenset(secrets))


def encode(values: Mapping[str, Any], secrets: Iterable[str] = ()) -> struct_pb2.Struct:
    """A message of the values, None left out."""
    hidden = frozenset(secrets)
    struct = struct_pb2.Struct()
    struct.update(
        {
            key: {SIGNATURE: SECRET, "value": value} if key in hidden else value
            for key, value in values.items()
            if value is not None
        }
    )
    return struct


def is_unknown(value: Any) -> bool:
    """Whether the value, or anything in it, is not known yet."""
    if isinstance(value, Mapping):
        return any(is_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(is_unknown(part) for part in value)
    return bool(value == UNKNOWN)


def _plain(value: Any) -> tuple[Any, bool]:
    """The value without wrappers, and whether it had one."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _plain(value.get("value"))[0], True
        parts = {k: _plain(v) for k, v in value.items()}
        return {k: v for k, (v, _) in parts.items()}, any(s for _, s in parts.values())
    if isinstance(value, list):
        listed = [_plain(v) for v in value]
        return [v for v, _ in listed], any(s for _, s in listed)
    if isinstance(value, float) and value.is_integer():
        return int(value), False
    return value, False
