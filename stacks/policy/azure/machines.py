"""Machines: none without an end."""

from collections.abc import Iterator

from stacks.policy import mistakes
from stacks.policy.azure.machine_parts import MACHINES
from stacks.policy.azure.marks import tags_of
from stacks.policy.marks import LEASE, lease_trouble
from stacks.policy.subject import UNKNOWN, Subject

RENTED = (
    *MACHINES, "batch/Pool", "containerinstance/ContainerGroup", "containerservice/AgentPool",
    "containerservice/ManagedCluster", "machinelearningservices/Compute",
)  # fmt: skip
"""Kinds that rent machines by themselves."""


def _one(subject: Subject) -> Iterator[str]:
    if subject.kind not in RENTED:
        return
    tags = tags_of(subject)
    if tags is None or tags.get(LEASE) is UNKNOWN:
        return
    trouble = lease_trouble("it", tags.get(LEASE))
    if trouble is not None:
        yield trouble


LEASE_ON_MACHINES = mistakes.LEASE_ON_MACHINES(one=_one)
