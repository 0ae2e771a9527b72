"""A shell on a cloud's virtual machine, a command there, or one of its ports here: the cloud's own program does it."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from infra.errors import SettingsError


def session_words(where: Mapping[str, Any], command: Sequence[str], forward: int | None) -> list[str]:
    """The command line that opens it.

    Args:
        where: the output of the stack.
        command: instead of a shell.
        forward: port there that shall answer here on loopback.

    Raises:
        SettingsError: a program is missing here, or no way leads there.
        HostError: there is no machine now.
    """
    if where["kind"] == "group":
        from infra.aws.session import group_session

        return group_session(where, command, forward)
    from infra.azure.session import machine_session

    return machine_session(where, command, forward)


def require_programs(advice: Mapping[str, str]) -> None:
    """`advice` by program.

    Raises:
        SettingsError: some are not on PATH.
    """
    missing = [text for name, text in advice.items() if shutil.which(name) is None]
    if missing:
        raise SettingsError("; ".join(missing))
