"""What every machine can be asked: run a command, read a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A command that has ended."""

    code: int
    out: bytes
    err: str


class Host(Protocol):
    """A machine with a POSIX shell. Relative paths are below its user's home, on this machine below the folder."""

    @property
    def address(self) -> str:
        """`local`, or ssh://user@host:port."""

    def run(
        self,
        argv: Sequence[str],
        *,
        data: bytes = b"",
        timeout_s: float = 60.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Completed:
        """Run a command with `data` as its standard input; a code other than 0 is an answer, no error.

        Raises:
            HostError: the machine cannot be reached, did not answer in time, or `cancelled` said so.
        """

    def read(self, path: str, offset: int = 0) -> bytes | None:
        """A file from a byte on; None if it is not there.

        Raises:
            HostError: the machine cannot be reached.
        """


def open_host(where: Mapping[str, Any] | None) -> Host:
    """The machine that `{"address": ..., "hostKey": ..., "identity": ...}` means; this one for None.

    `identity` is the name of a key that this machine keeps (infra/hosts/keys.py), and then the only one offered;
    without it the user's own keys are.

    Raises:
        HostError: the address is none, or the name of the key.
    """
    from infra.hosts.keys import key_path
    from infra.hosts.local import LocalHost
    from infra.hosts.ssh import SshHost

    if not where or where.get("address") in (None, "local"):
        return LocalHost()
    name = where.get("identity")
    return SshHost(
        str(where["address"]),
        host_key=where.get("hostKey") or None,
        identity=None if name is None else str(key_path(str(name))),
        identity_only=name is not None,
    )
