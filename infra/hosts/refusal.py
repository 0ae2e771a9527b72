"""Why ssh did not get in, as one line that says what to do. Pure."""

from dataclasses import dataclass

from infra.errors import HostError

CHANGED, UNVERIFIED = "REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed"


class NoConnectionError(HostError):
    """The machine cannot be reached now; it may be a moment later."""


class NoKeyError(HostError):
    """Our key is not here, may not be used, or opens nothing there: the machine is well, and another try is no help."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """What was tried."""

    address: str
    destination: str
    name: str
    port: str | None
    pinned: bool
    """The host key was given, and known_hosts not asked."""
    identity: str | None
    ours_alone: bool
    """The key is one that this program made for this machine, and no other was offered."""


def refusal(err: str, door: Door) -> HostError:
    """The error that what ssh printed comes to."""
    port = f"-p {door.port} " if door.port else ""
    scan = f"ssh-keyscan {port}{door.name}"
    if CHANGED in err or (UNVERIFIED in err and door.pinned):
        return HostError(
            f"{door.address} shows another host key than the one expected; " + _compare(scan, door.ours_alone)
        )
    if UNVERIFIED in err:
        return HostError(
            f"the host key of {door.address} is not known; compare what `{scan}` prints with its owner, "
            "then add it to ~/.ssh/known_hosts or set sonarstack:gpuServerHostKey"
        )
    if "UNPROTECTED PRIVATE KEY FILE" in err:
        return NoKeyError(f"the key {door.identity} is open to other users; run `chmod 600 {door.identity}`")
    if "Permission denied" in err:
        return NoKeyError(_keys(door, port))
    last = err.splitlines()[-1].strip() if err else "no reason given"
    return NoConnectionError(f"{door.address} cannot be reached: {last}")


def _compare(scan: str, rented: bool) -> str:
    if rented:
        return "another machine has its address now, or somebody stands between; nothing was sent there"
    return f"if its owner confirms the change, take the new one from `{scan}`"


def _keys(door: Door, port: str) -> str:
    if door.ours_alone:
        return (
            f"{door.address} does not accept the key {door.identity}; "
            "it was rented with another one: destroy it, and up again"
        )
    return f"{door.address} accepts none of your keys; add one with `ssh-copy-id {port}{door.destination}`"
