"""What is written down is encrypted by a key of one's own, and on its way.

Not asked of a registry, which takes a key of one's own as Premium only and holds images, no data; nor of a workspace,
which takes one from a cluster of 100 GB a day on only. Both are encrypted by Azure's keys.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.azure.inside import listed, within
from stacks.policy.azure.machine_parts import described
from stacks.policy.subject import UNKNOWN, Subject, is_true

ACCOUNT = "storage/StorageAccount"
DISKS = ("compute/Disk", "compute/Snapshot")
NEW_TLS = ("TLS1_2", "TLS1_3")
ADVICE = "give it the stack's key (infra/azure/keys.py)"


def _one(subject: Subject) -> Iterator[str]:
    if subject.kind == ACCOUNT:
        yield from _of_account(subject.inputs)
    elif subject.kind in DISKS:
        if not within(subject.inputs, "encryption", "diskEncryptionSetId"):
            yield f"encryption.diskEncryptionSetId is not set, which means a key of Azure; {ADVICE}"
    elif (machine := described(subject)) is not None:
        yield from _of_machine(machine)


def _of_account(inputs: Mapping[str, Any]) -> Iterator[str]:
    encryption = inputs.get("encryption")
    source = within(encryption, "keySource")
    if source not in ("Microsoft.Keyvault", UNKNOWN) or not within(
        encryption, "keyVaultProperties", "keyName"
    ):
        yield f"its key is one of Azure; set encryption.keySource=Microsoft.Keyvault and {ADVICE}"
    if not is_true(within(encryption, "requireInfrastructureEncryption")):
        yield (
            "it is encrypted once only; set encryption.requireInfrastructureEncryption=True, which can be set no later"
        )
    if inputs.get("enableHttpsTrafficOnly") is False:
        yield "it answers without encryption; set enableHttpsTrafficOnly=True"
    if inputs.get("minimumTlsVersion") not in (*NEW_TLS, UNKNOWN):
        yield f"it takes TLS that is broken; set minimumTlsVersion={NEW_TLS[0]}"


def _of_machine(machine: Mapping[str, Any]) -> Iterator[str]:
    disks = within(machine, "storageProfile")
    root = within(disks, "osDisk")
    named = [("its root disk", root)] if root is not UNKNOWN else []
    named += [
        (f"its data disk {place}", one) for place, one in enumerate(listed(disks, "dataDisks"), start=1)
    ]
    for name, disk in named:
        if not within(disk, "managedDisk", "diskEncryptionSet", "id"):
            yield f"{name} is under a key of Azure; give it the stack's diskEncryptionSet (infra/azure/keys.py)"


ENCRYPTED_STORAGE = mistakes.ENCRYPTED_STORAGE(one=_one)
