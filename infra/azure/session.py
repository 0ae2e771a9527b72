"""A shell on the Azure machine through a Bastion, or a command there by the platform's own run command.

Source: `az network bastion ssh` and `az vm run-command invoke`, Azure CLI reference (2026-11).
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from infra.azure.names import part_id_in
from infra.errors import SettingsError
from infra.hosts.keys import key_path
from infra.vm.session import require_programs

ADMIN = "sonarstack"
"""The machine's one user."""
COMMANDS = {"az": "install Azure's command line (learn.microsoft.com/cli/azure)"}


def machine_session(where: Mapping[str, Any], command: Sequence[str], forward: int | None) -> list[str]:
    """See `infra.vm.session.session_words`; a command needs no Bastion."""
    require_programs(COMMANDS)
    group, machine = str(where["group"]), str(where["machine"])
    place = ["--subscription", str(where["subscription"]), "--resource-group", group]
    if command:
        text = command[0] if len(command) == 1 else shlex.join(command)
        return [
            "az", "vm", "run-command", "invoke", *place, "--name", machine, "--command-id", "RunShellScript",
            "--scripts", text, "--query", "value[0].message", "--output", "tsv",
        ]  # fmt: skip
    bastion = where.get("bastion")
    if not bastion:
        raise SettingsError(
            "no way leads to the machine: it has no address and this stack no Bastion (sonarstack:bastion true, then "
            "`up`); a command goes without one: python -m stacks ssh STACK -- nvidia-smi"
        )
    target = part_id_in(str(where["subscription"]), group, "Microsoft.Compute/virtualMachines", machine)
    words = [
        "az",
        "network",
        "bastion",
        "ssh",
        *place,
        "--name",
        str(bastion),
        "--target-resource-id",
        target,
    ]
    if where.get("login") == "entra":
        words += ["--auth-type", "AAD"]
    else:
        key = key_path(str(where["owner"]))
        words += ["--auth-type", "ssh-key", "--username", ADMIN, "--ssh-key", str(key)]
    if forward is not None:
        words += ["--", "-N", "-L", f"127.0.0.1:{forward}:127.0.0.1:{forward}"]
    return words
