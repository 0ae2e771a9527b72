"""What a rented virtual machine is told to do, as `machine.py` reads it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Words = Sequence[str]
"""One command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """One container, and the commands in which a cloud's own ways are said."""

    image: str
    """By digest."""
    arguments: Words
    """After the image's name."""
    variables: Mapping[str, str]
    """The seam's; the hours are put in by the machine, by what is left of its lease."""
    docker: Words
    """Options of `docker run`: mounts, GPUs, where its output goes."""
    lease_until_s: float
    """Seconds since 1970, UTC."""
    identity: Words
    """Prints the machine's own name."""
    keep: Words
    """Writes its standard input beside the run, under {name}."""
    end: Sequence[Words]
    """End whatever would rent the machine again."""
    sign_in: Words = ()
    """To the registry; empty where the image is public."""
    prepare: Sequence[Words] = ()
    """Before all else, such as the start of the metrics agent; may fail."""
    on_demand: Words = ()
    """Has the next machine rented on demand."""
    on_demand_after: int | None = None
    """Interruptions; None never does."""
    count_interruptions: Words = ()
    power_off: Words = ("systemctl", "poweroff")
    """Ends a machine that is billed while it is off, where it is."""
    folder: str = "/var/lib/sonarstack"
    grace_s: float = 100.0
    """For the last checkpoint and its upload: a spot machine gets two minutes in all."""
    hard_stop_s: float = 300.0
    """After the lease, should all else hang."""

    def as_dict(self) -> dict[str, Any]:
        """As machine.json holds it."""
        return {
            "image": self.image,
            "arguments": list(self.arguments),
            "variables": dict(self.variables),
            "docker": list(self.docker),
            "leaseUntil": self.lease_until_s,
            "identity": list(self.identity),
            "keep": list(self.keep),
            "end": [list(words) for words in self.end],
            "signIn": list(self.sign_in),
            "prepare": [list(words) for words in self.prepare],
            "onDemand": list(self.on_demand),
            "onDemandAfter": self.on_demand_after,
            "countInterruptions": list(self.count_interruptions),
            "powerOff": list(self.power_off),
            "folder": self.folder,
            "graceSeconds": self.grace_s,
            "hardStopSeconds": self.hard_stop_s,
        }
