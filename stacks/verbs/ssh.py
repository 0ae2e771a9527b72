"""python -m stacks ssh: a shell on a stack's machine, its pinned host key checked; or its boards, forwarded here."""

import os
import shlex
import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stacks.verbs import options

if TYPE_CHECKING:
    from infra.hosts.ssh import SshHost

TENSORBOARD, JUPYTER = 6006, 8888
TOKEN = "/tmp/sonarstack-machine/jupyter_token"  # noqa: S105, S108 a file there, as images/cloud/machine.py has it
LISTENS = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; :"


def ssh(
    stack: options.Stack = "runpod",
    command: Annotated[
        list[str] | None, typer.Argument(help="After `--`: run this there instead of a shell.")
    ] = None,
    forward: Annotated[
        bool, typer.Option("--forward", help="Show its TensorBoard and Jupyter on this machine's loopback.")
    ] = False,
    show: Annotated[bool, typer.Option("--print", help="Only print the command.")] = False,
) -> None:
    """Open a shell on a stack's machine, by the system's own ssh with the stack's key and the pinned host key."""
    from infra.errors import SettingsError
    from infra.hosts.ssh import SshHost
    from infra.vm.now import KINDS
    from stacks.live import open_stack

    if forward and command:
        raise SettingsError("--forward runs no command; leave one of them out")
    live = open_stack(stack)
    if live.outputs["where"].get("kind") in KINDS:
        from infra.vm.session import session_words

        words = session_words(live.outputs["where"], command or [], TENSORBOARD if forward else None)
        _become(words, show=show)
        return
    host = live.host
    if not isinstance(host, SshHost):
        raise SettingsError(f"stack {stack} runs on this machine; there is nothing to reach by SSH")
    _become(_forwarding(host, quiet=show) if forward else _shell(host, command or []), show=show)


def _become(words: list[str], *, show: bool) -> None:
    """Print the command, or be it."""
    if show:
        sys.stdout.write(shlex.join(words) + "\n")
        return
    sys.stdout.flush()
    # In its place: its terminal, its signals and its exit code are the user's own.
    os.execvp(words[0], words)  # noqa: S606


def listening(table: str) -> set[int]:
    """Ports that somebody listens on, by the text of /proc/net/tcp."""
    found = set()
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == "0A" and ":" in fields[1]:
            found.add(int(fields[1].rpartition(":")[2], 16))
    return found


def free_port(wanted: int) -> int:
    """The same port here, or a free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on loopback")


def _shell(host: "SshHost", command: list[str]) -> list[str]:
    words = host.ssh_command()
    if not command and sys.stdin.isatty():
        words.append("-t")
    # One word is the far shell's to read, such as 'cd x && ls'; several arrive as they are.
    text = command[0] if len(command) == 1 else shlex.join(command)
    return [*words, "--", host.address, *([text] if command else [])]


def _forwarding(host: "SshHost", *, quiet: bool) -> list[str]:
    boards = {TENSORBOARD: free_port(TENSORBOARD), JUPYTER: free_port(JUPYTER)}
    if not quiet:
        _tell(host, boards)
    first, *words = host.ssh_command()
    # A connection of its own, which ends with this command; ssh takes the first value of an option.
    own = ["ControlMaster=no", "ControlPath=none", "ExitOnForwardFailure=yes"]
    forwards = [f"127.0.0.1:{here}:127.0.0.1:{there}" for there, here in boards.items()]
    return [
        first,
        *(word for option in own for word in ("-o", option)),
        *words,
        "-N",
        *(word for one in forwards for word in ("-L", one)),
        "--",
        host.address,
    ]


def _tell(host: "SshHost", boards: dict[int, int]) -> None:
    from stacks.verbs.console import say

    there = listening(host.run(["sh", "-c", LISTENS]).out.decode(errors="replace"))
    token = (host.read(TOKEN) or b"").decode(errors="replace").strip()
    addresses = {
        TENSORBOARD: ("TensorBoard", f"http://127.0.0.1:{boards[TENSORBOARD]}"),
        JUPYTER: (
            "Jupyter",
            f"http://127.0.0.1:{boards[JUPYTER]}/lab" + (f"?token={token}" if token else ""),
        ),
    }
    for port, (name, address) in addresses.items():
        later = "" if not there or port in there else "  (does not answer there yet)"
        say(f"{name + ':':<13}{address}{later}")
    say("forwarded until Ctrl-C")
