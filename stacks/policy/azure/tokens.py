"""Rights come by an identity's own token, never by a word that whoever has it can use from anywhere.

Azure's metadata has no way without a header, as AWS's IMDSv1 is one; what gives rights away there is a key or a
password that is the same for everybody: the account's shared keys, a registry's administrator, a machine's password.
"""

from collections.abc import Iterator

from stacks.policy import mistakes
from stacks.policy.azure.inside import within
from stacks.policy.azure.machine_parts import described
from stacks.policy.azure.storage import ACCOUNT
from stacks.policy.subject import UNKNOWN, Subject, is_true

REGISTRY, LOCAL_USER = "containerregistry/Registry", "storage/LocalUser"


def _one(subject: Subject) -> Iterator[str]:
    inputs = subject.inputs
    if subject.kind == ACCOUNT:
        if inputs.get("allowSharedKeyAccess") not in (False, UNKNOWN):
            yield "whoever has the account's key may do everything; set allowSharedKeyAccess=False"
        for key in ("isLocalUserEnabled", "isSftpEnabled"):
            if inputs.get(key) not in (None, False, UNKNOWN):
                yield f"{key} lets in users with passwords of the account's own; leave it out"
    elif subject.kind == REGISTRY and inputs.get("adminUserEnabled") not in (None, False, UNKNOWN):
        yield "its administrator has one password for everybody; set adminUserEnabled=False"
    elif subject.kind == LOCAL_USER:
        yield "users of an account's own have passwords and keys; leave it out and give rights by role"
    elif (machine := described(subject)) is not None:
        system = within(machine, "osProfile")
        linux = within(system, "linuxConfiguration", "disablePasswordAuthentication")
        if within(system, "adminPassword") not in (None, "", UNKNOWN):
            yield "adminPassword opens it to whoever knows it; leave it out"
        elif system is not None and not is_true(linux):
            yield "it takes passwords; set osProfile.linuxConfiguration.disablePasswordAuthentication=True"


RIGHTS_BY_TOKEN = mistakes.RIGHTS_BY_TOKEN(one=_one)
