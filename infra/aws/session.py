"""A shell on a machine of EC2, or its TensorBoard here, by AWS Systems Manager: nothing of it listens to the world."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from infra.aws.owned import owned_groups
from infra.errors import HostError
from infra.vm.session import require_programs

COMMANDS = {
    "aws": "install AWS's command line (docs.aws.amazon.com/cli)",
    "session-manager-plugin": "install the Session Manager plugin of AWS's command line",
}
SHELL, PORT = "AWS-StartInteractiveCommand", "AWS-StartPortForwardingSession"
"""Documents of AWS. Source: Systems Manager user guide, `start a session` (2026-11)."""


def group_session(where: Mapping[str, Any], command: Sequence[str], forward: int | None) -> list[str]:
    """See `infra.vm.session.session_words`.

    Raises:
        SettingsError: a program is missing here.
        HostError: the group has no machine now.
    """
    require_programs(COMMANDS)
    region, name = str(where["region"]), str(where["group"])
    found = next((one for one in owned_groups(region, str(where["owner"])) if one.name == name), None)
    if found is None or not found.machines:
        raise HostError(f"{name} has no machine now; python -m stacks watch tells why")
    words = ["aws", "ssm", "start-session", "--region", region, "--target", found.machines[0]]
    if forward is not None:
        ports = {"portNumber": [str(forward)], "localPortNumber": [str(forward)]}
        return [*words, "--document-name", PORT, "--parameters", json.dumps(ports)]
    if command:
        text = command[0] if len(command) == 1 else shlex.join(command)
        return [*words, "--document-name", SHELL, "--parameters", json.dumps({"command": [text]})]
    return words
