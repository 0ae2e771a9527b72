"""Whose a pod of our name is: two machines with the same project and stack name theirs alike, but each has a key."""

from collections.abc import Iterable

from infra.errors import HostError
from infra.hosts.keys import key_path, public_key
from infra.runpod.errors import RefusedError
from infra.runpod.spec import told_lease
from infra.runpod.wire import Pod

KEYS_VARIABLE = "SONARSTACK_MACHINE_KEYS"
"""Of its machine: public keys, a line each, the first of them with the name under which `ensure_key` made it."""
GONE = "TERMINATED"


def is_ours(pod: Pod) -> bool:
    """Whether the key that it was rented with is on this machine, made here or brought here.

    Raises:
        HostError: our own key cannot be read.
    """
    words = pod.env.get(KEYS_VARIABLE, "").partition("\n")[0].split()
    if len(words) != 3:
        return False
    try:
        key_path(words[2])
    except HostError:  # no name that one of our keys has
        return False
    return public_key(words[2]) == " ".join(words[:2])


def refuse_foreign(pods: Iterable[Pod]) -> None:
    """Before anything is done to pods of our name, or to the volume that they are on.

    Raises:
        RefusedError: one that lives was rented from another machine.
    """
    for pod in pods:
        if pod.status != GONE and not is_ours(pod):
            raise RefusedError(f"{whose(pod)}; nothing was ended")


def whose(pod: Pod) -> str:
    """What there is to say of a pod of another machine."""
    until = told_lease(pod.env)
    end = f" (its lease ends {until:%Y-%m-%d %H:%M} UTC)" if until is not None else ""
    return (
        f"pod {pod.id} ({pod.name}) was rented from another machine, whose key is not here, and may be training{end}: "
        "work from that machine, bring its ~/.local/state/sonarstack here, or take another stack name"
    )
