"""Which request bodies the contract takes, by hand: the contract file itself is not shipped.

A check yields one sentence a violation. Tests compare its verdicts with the contract's schemas.
"""

import re
from collections.abc import Callable, Iterator, Mapping

Check = Callable[[object, str], Iterator[str]]
"""Of a value and the path to it, such as `$.gpu`."""

KINDS = {str: "string", bool: "boolean", dict: "object", list: "array", type(None): "null"}


def _kind(value: object) -> str:
    return KINDS.get(type(value), "number")


def text(least: int = 0, pattern: str | None = None) -> Check:
    """A string of at least so many characters that has the pattern in it."""

    def check(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path}: got {_kind(value)}, want string"
            return
        if len(value) < least:
            yield f"{path}: minLength: got {len(value)}, want {least}"
        if pattern is not None and not re.search(pattern, value):
            yield f"{path}: does not match pattern '{pattern}'"

    return check


def whole(least: int | None = None, most: int | None = None) -> Check:
    """A whole number; 2.0 is one, true is none."""

    def check(value: object, path: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            yield f"{path}: got {_kind(value)}, want integer"
            return
        if least is not None and value < least:
            yield f"{path}: minimum: got {value}, want {least}"
        if most is not None and value > most:
            yield f"{path}: maximum: got {value}, want {most}"

    return check


def flag(value: object, path: str) -> Iterator[str]:
    """true or false."""
    if not isinstance(value, bool):
        yield f"{path}: got {_kind(value)}, want boolean"


def one_of(*values: str) -> Check:
    """One of these words."""

    def check(value: object, path: str) -> Iterator[str]:
        if value not in values:
            yield f"{path}: value must be one of {', '.join(map(repr, values))}"

    return check


def nullable(inner: Check) -> Check:
    """That, or null."""
    return lambda value, path: iter(()) if value is None else inner(value, path)


def list_of(inner: Check, most: int | None = None) -> Check:
    """An array of those."""

    def check(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: got {_kind(value)}, want array"
            return
        if most is not None and len(value) > most:
            yield f"{path}: maxItems: got {len(value)}, want {most}"
        for place, one in enumerate(value):
            yield from inner(one, f"{path}[{place}]")

    return check


def map_of(inner: Check) -> Check:
    """An object with any names and such values."""

    def check(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: got {_kind(value)}, want object"
            return
        for name, one in value.items():
            yield from inner(one, f"{path}.{name}")

    return check


def record(fields: Mapping[str, Check], required: tuple[str, ...] = (), least: int = 0) -> Check:
    """An object with these fields and no others."""

    def check(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: got {_kind(value)}, want object"
            return
        unknown = [name for name in value if name not in fields]
        if unknown:
            yield f"{path}: additional properties {', '.join(map(repr, unknown))} not allowed"
        lacking = [name for name in required if name not in value]
        if lacking:
            yield f"{path}: missing propert{'y' if len(lacking) == 1 else 'ies'} {', '.join(map(repr, lacking))}"
        if len(value) < least:
            yield f"{path}: minProperties: got {len(value)}, want {least}"
        for name in value:
            if name in fields:
                yield from fields[name](value[name], f"{path}.{name}")

    return check


CUDA = r"^\d+\.\d+$"
CONTAINER: dict[str, Check] = {
    "image": text(),
    "args": text(),
    "disk": whole(1),
    "env": map_of(text()),
    "ports": list_of(text()),
    "registry": nullable(text()),
}
MOUNTS = record(
    {
        "persistent": record({"size": whole(10), "path": text()}, ("size", "path")),
        "network": list_of(record({"volumeId": text(), "path": text()}, ("volumeId", "path")), most=1),
    }
)
GPU = record(
    {
        "id": text(),
        "count": whole(1),
        "allowedCudaVersions": list_of(text(pattern=CUDA)),
        "minCudaVersion": text(pattern=CUDA),
    },
    ("id",),
)
CPU = record({"id": text(1), "vcpuCount": whole(2)}, ("id", "vcpuCount"))
_CREATE_POD: dict[str, Check] = {
    **CONTAINER,
    "name": text(1),
    "cloud": one_of("SECURE", "COMMUNITY"),
    "cpu": CPU,
    "gpu": GPU,
    "dataCenterIds": list_of(text()),
    "globalNetworking": flag,
    "mounts": MOUNTS,
    "startJupyter": flag,
    "startSsh": flag,
    "templateId": text(1),
}


def create_pod(value: object, path: str) -> Iterator[str]:
    """`CreatePodRequest`: an image, unless a template brings one."""
    templated = isinstance(value, dict) and "templateId" in value
    yield from record(_CREATE_POD, ("name",) if templated else ("name", "image"))(value, path)


update_pod = record(
    {
        **CONTAINER,
        "globalNetworking": flag,
        "locked": flag,
        "mounts": MOUNTS,
        "name": text(1),
        "templateId": text(),
    }
)
pod_action = record({"action": one_of("start", "stop", "restart", "terminate")}, ("action",))
VOLUME_SIZE = whole(10, 4096)
create_volume = record(
    {
        "name": text(1),
        "size": VOLUME_SIZE,
        "dataCenter": text(1),
        "type": one_of("STANDARD", "HIGH_PERFORMANCE"),
    },
    ("name", "size", "dataCenter"),
)
update_volume = record({"name": text(1), "size": VOLUME_SIZE}, least=1)
create_registry = record(
    {"name": text(1), "username": text(1), "password": text(1)}, ("name", "username", "password")
)
ssh_keys = record(
    {"keys": list_of(text(pattern=r"^(ssh|ecdsa|sk)-[^\s]+ [^\s]+([ \t][^\n\r]*)?$"))}, ("keys",)
)
