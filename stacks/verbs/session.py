"""A shell on a machine of EC2, or its TensorBoard here, by AWS Systems Manager: nothing of it listens to the world."""

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from infra.aws.owned import owned_groups
from infra.errors import HostError, SettingsError

COMMANDS = {
    "aws": "install AWS's command line (docs.aws.amazon.com/cli)",
    "session-manager-plugin": "install the Session Manager plugin of AWS's command line",
}
SHELL, PORT = "AWS-StartInteractiveCommand", "AWS-StartPortForwardingSession"
"""Documents of AWS. Source: Systems Manager user guide, `start a session` (2026-11)."""


def session_words(where: Mapping[str, Any], command: Sequence[str], forward: int | None) -> list[str]:
    """The command that opens a session on the group's machine.

    Args:
        where: the output of the stack.
        command: instead of a shell.
        forward: port there that shall answer here on loopback.

    Raises:
        SettingsError: a program is missing here.
        HostError: the group has no machine now.
    """
    missing = [advice for name, advice in COMMANDS.items() if shutil.which(name) is None]
    if missing:
        raise SettingsError("; ".join(missing))
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
