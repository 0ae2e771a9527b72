"""What describes machines: a virtual machine's own inputs, or a scale set's description of each of its own."""

from collections.abc import Mapping
from typing import Any

from stacks.policy.azure.inside import within
from stacks.policy.subject import Subject

MACHINE, SCALE_SET = "compute/VirtualMachine", "compute/VirtualMachineScaleSet"
MACHINES = (MACHINE, SCALE_SET)


def described(subject: Subject) -> Mapping[str, Any] | None:
    """None of what is no machine, or not known yet."""
    value = subject.inputs if subject.kind == MACHINE else within(subject.inputs, "virtualMachineProfile")
    return value if subject.kind in MACHINES and isinstance(value, Mapping) else None
