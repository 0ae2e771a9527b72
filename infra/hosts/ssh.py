"""A machine reached by the system's own ssh, so that its user's keys, agent and configuration hold."""

import hashlib
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Completed
from infra.hosts.process import TimedOutError, run_program
from infra.hosts.refusal import Door, NoKeyError, refusal
from infra.state_folder import write_whole

ADDRESS = re.compile(
    r"^ssh://(?:(?P<user>[^@/\s:]+)@)?(?P<name>\[[0-9a-fA-F:]+\]|[^@/:\s]+)(?::(?P<port>\d+))?$"
)
HOST_KEY = re.compile(r"^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$")
NO_CONNECTION = 255
"""Exit code of ssh itself; a command's own codes are below it."""
NOT_THERE = 44
READ = f'[ -f "$1" ] || exit {NOT_THERE}; tail -c +"$2" -- "$1"'
INSTALL_SSH = "install openssh-client"
MASTER_ANSWERS_WITHIN_S = 5.0
ALIAS = "sonarstack"
"""Under which a given host key is looked up: the user's configuration may know the machine by another name or port."""
PLAIN_FOLDER = re.compile(r"[^\s%\"'\\]{1,60}")
"""A name that ssh takes in an option as it stands.

Of characters, a socket's path may have 104 (macOS), of which our name and ssh's own suffix take 42.
"""


class SshHost:
    """Runs commands over one shared connection; never asks questions, never trusts an unknown host key."""

    def __init__(
        self,
        address: str,
        *,
        host_key: str | None = None,
        identity: str | None = None,
        identity_only: bool = False,
    ) -> None:
        """Take an address; nothing is connected yet.

        Args:
            address: ssh://user@host:port; user and port may be left out.
            host_key: `ssh-ed25519 AAAA...`, the only key to accept; the user's known_hosts decide if None.
            identity: file of a private key, beside those that ssh finds by itself.
            identity_only: offer that key alone and ask no agent: a rented machine has no business with the others.

        Raises:
            HostError: not such an address, or no such host key.
        """
        found = ADDRESS.match(address)
        if found is None:
            raise HostError(f"{address!r} is no SSH address; write ssh://user@host or ssh://user@host:port")
        self.address = address
        self._name, self._port = found["name"].strip("[]"), found["port"]
        self._user, self._identity = found["user"], identity
        self._host_key = None if host_key is None else _host_key(host_key)
        self._identity_only = identity_only and identity is not None
        if self._name.startswith("-") or (self._user or "").startswith("-"):
            raise HostError(f"{address!r} is no SSH address; a name cannot begin with '-'")

    def ssh_command(self) -> list[str]:
        """ssh with its options, without the host: for `rsync -e` too.

        Raises:
            NoKeyError: the key file is not there.
        """
        options = ["BatchMode=yes", "ConnectTimeout=15", "StrictHostKeyChecking=yes"]
        # A connection that died without a word is noticed within a minute.
        options += ["ServerAliveInterval=15", "ServerAliveCountMax=4"]
        options += ["ControlMaster=auto", "ControlPersist=60", f"ControlPath={self._socket()}"]
        if self._host_key is not None:
            options += [f"UserKnownHostsFile={self._known_hosts()}", "GlobalKnownHostsFile=/dev/null"]
            options += [f"HostKeyAlias={ALIAS}"]
        if self._identity_only:
            options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
        words = ["ssh", *(word for option in options for word in ("-o", option))]
        if self._port is not None:
            words += ["-p", self._port]
        if self._identity is not None:
            if not Path(self._identity).is_file():
                raise NoKeyError(
                    f"the key {self._identity} for {self.address} is not on this machine; "
                    "work from the one that made it, or bring the key here"
                )
            words += ["-i", self._identity]
        return words

    @property
    def destination(self) -> str:
        """user@host, as rsync takes it."""
        name = f"[{self._name}]" if ":" in self._name else self._name
        return f"{self._user}@{name}" if self._user else name

    def run(
        self,
        argv: Sequence[str],
        *,
        data: bytes = b"",
        timeout_s: float = 60.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Completed:
        """See `Host.run`."""
        command = [*self.ssh_command(), "--", self._login(), shlex.join(argv)]
        try:
            done = run_program(
                command,
                what=f"{argv[0]} on {self.address}",
                install=INSTALL_SSH,
                data=data,
                timeout_s=timeout_s,
                cancelled=cancelled,
            )
        except TimedOutError as error:
            self.abandon()
            raise TimedOutError(f"{self.address} did not answer within {timeout_s:g} s") from error
        if done.code == NO_CONNECTION:
            raise self.refused(done.err)
        return done

    def read(self, path: str, offset: int = 0) -> bytes | None:
        """See `Host.read`."""
        done = self.run(["sh", "-c", READ, "read", path, str(offset + 1)])
        if done.code == NOT_THERE:
            return None
        if done.code:
            raise HostError(f"{path} on {self.address} cannot be read: {done.err}")
        return done.out

    def close(self) -> None:
        """End the shared connection, and what still runs over it; fine if there is none."""
        self._tell_master("exit")

    def abandon(self) -> None:
        """Let the next command make a connection of its own; what runs over this one goes on."""
        self._tell_master("stop")

    def refused(self, err: str) -> HostError:
        """The error that the words of an ssh that did not get in come to."""
        return refusal(
            err,
            Door(
                address=self.address,
                destination=self.destination,
                name=self._name,
                port=self._port,
                pinned=self._host_key is not None,
                identity=self._identity,
                ours_alone=self._identity_only,
            ),
        )

    def _login(self) -> str:
        return f"{self._user}@{self._name}" if self._user else self._name

    def _tell_master(self, word: str) -> None:
        path = Path(self._socket())
        if not path.exists():
            return
        try:
            command = ["ssh", "-o", f"ControlPath={path}", "-O", word, "--", self._login()]
            run_program(command, what="ssh", install=INSTALL_SSH, timeout_s=MASTER_ANSWERS_WITHIN_S)
        except TimedOutError:
            pass  # it hangs: without its socket nobody will ask it again
        path.unlink(missing_ok=True)

    def _digest(self) -> str:
        # The host key is part of it: another machine at the same address never gets this one's connection.
        text = f"{self.address} {self._host_key} {self._identity} {self._identity_only}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _socket(self) -> str:
        return str(_folder() / f"{self._digest()}.s")

    def _known_hosts(self) -> str:
        path, line = _folder() / f"{self._digest()}.known", f"{ALIAS} {self._host_key}\n"
        if not path.is_file() or path.read_text() != line:
            # In one step: another of our processes may be reading it.
            write_whole(path, line)
        return str(path)


def _host_key(text: str) -> str:
    """Kind and key alone; a comment is dropped, and a second line would be a second machine to trust."""
    key = " ".join(text.split(maxsplit=2)[:2]) if "\n" not in text.strip() else ""
    if not HOST_KEY.match(key):
        raise HostError(
            f"{text!r} is no host key; it looks like ssh-ed25519 AAAA..., as ssh-keyscan prints it"
        )
    return key


def _folder() -> Path:
    """Of this user alone, short, and of a name that needs no quotes."""
    base = tempfile.gettempdir()
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(base if PLAIN_FOLDER.fullmatch(base) else "/tmp") / f"sonarstack-ssh-{user}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != user:
        raise HostError(f"{folder} is open to other users or theirs; remove it and try again")
    return folder
