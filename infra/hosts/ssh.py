"""A machine reached by the system's own ssh, so that its user's keys, agent and configuration hold."""

import hashlib
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Completed

ADDRESS = re.compile(
    r"^ssh://(?:(?P<user>[^@/\s:]+)@)?(?P<name>\[[0-9a-fA-F:]+\]|[^@/:\s]+)(?::(?P<port>\d+))?$"
)
NO_CONNECTION = 255
"""Exit code of ssh itself; a command's own codes are below it."""
NOT_THERE = 44
READ = f'[ -f "$1" ] || exit {NOT_THERE}; tail -c +"$2" -- "$1"'


class SshHost:
    """Runs commands over one shared connection; never asks questions, never trusts an unknown host key."""

    def __init__(self, address: str, *, host_key: str | None = None, identity: str | None = None) -> None:
        """Take an address; nothing is connected yet.

        Args:
            address: ssh://user@host:port; user and port may be left out.
            host_key: `ssh-ed25519 AAAA...`, the only key to accept; the user's known_hosts decide if None.
            identity: file of a private key, beside those that ssh finds by itself.

        Raises:
            HostError: not such an address.
        """
        found = ADDRESS.match(address)
        if found is None:
            raise HostError(f"{address!r} is no SSH address; write ssh://user@host or ssh://user@host:port")
        self.address = address
        self._name, self._port = found["name"].strip("[]"), found["port"]
        self._user, self._host_key, self._identity = found["user"], host_key, identity
        if self._name.startswith("-") or (self._user or "").startswith("-"):
            raise HostError(f"{address!r} is no SSH address; a name cannot begin with '-'")

    def ssh_command(self) -> list[str]:
        """ssh with its options, without the host: for `rsync -e` too."""
        words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "StrictHostKeyChecking=yes"]
        # A connection that died without a word is noticed within a minute.
        words += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
        words += [
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=60",
            "-o",
            f"ControlPath={self._socket()}",
        ]
        if self._host_key is not None:
            words += [
                "-o",
                f"UserKnownHostsFile={self._known_hosts()}",
                "-o",
                "GlobalKnownHostsFile=/dev/null",
            ]
        if self._port is not None:
            words += ["-p", self._port]
        if self._identity is not None:
            words += ["-i", self._identity]
        return words

    @property
    def destination(self) -> str:
        """user@host, as ssh and rsync take it."""
        name = f"[{self._name}]" if ":" in self._name else self._name
        return f"{self._user}@{name}" if self._user else name

    def run(self, argv: Sequence[str], *, data: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """See `Host.run`."""
        destination = f"{self._user}@{self._name}" if self._user else self._name
        command = [*self.ssh_command(), "--", destination, shlex.join(argv)]
        try:
            done = subprocess.run(  # noqa: S603 quoted for the far shell
                command, input=data, capture_output=True, timeout=timeout_s, check=False
            )
        except FileNotFoundError as error:
            raise HostError("ssh is not installed on this machine; install openssh-client") from error
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{self.address} did not answer within {timeout_s:g} s") from error
        err = done.stderr.decode(errors="replace").strip()
        if done.returncode == NO_CONNECTION:
            raise self._refused(err)
        return Completed(code=done.returncode, out=done.stdout, err=err)

    def read(self, path: str, offset: int = 0) -> bytes | None:
        """See `Host.read`."""
        done = self.run(["sh", "-c", READ, "read", path, str(offset + 1)])
        if done.code == NOT_THERE:
            return None
        if done.code:
            raise HostError(f"{path} on {self.address} cannot be read: {done.err}")
        return done.out

    def _refused(self, err: str) -> HostError:
        port = f"-p {self._port} " if self._port else ""
        scan = f"ssh-keyscan {port}{self._name}"
        if "REMOTE HOST IDENTIFICATION HAS CHANGED" in err or (
            "Host key verification failed" in err and self._host_key is not None
        ):
            return HostError(
                f"{self.address} shows another host key than the one expected; "
                f"if its owner confirms the change, take the new one from `{scan}`"
            )
        if "Host key verification failed" in err:
            return HostError(
                f"the host key of {self.address} is not known; compare what `{scan}` prints with its owner, "
                "then add it to ~/.ssh/known_hosts or set sonarstack:gpuServerHostKey"
            )
        if "Permission denied" in err:
            return HostError(
                f"{self.address} accepts none of your keys; add one with `ssh-copy-id {port}{self.destination}`"
            )
        last = err.splitlines()[-1] if err else "no reason given"
        return HostError(f"{self.address} cannot be reached: {last}")

    def _folder(self) -> Path:
        """Short, since a socket's path may have 104 characters only, and of this user alone."""
        folder = Path(tempfile.gettempdir()) / f"sonarstack-ssh-{os.getuid() if hasattr(os, 'getuid') else 0}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            raise HostError(f"{folder} is open to other users; remove it and try again")
        return folder

    def _digest(self) -> str:
        text = f"{self.address} {self._host_key} {self._identity}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _socket(self) -> str:
        return str(self._folder() / f"{self._digest()}.s")

    def _known_hosts(self) -> str:
        name = f"[{self._name}]:{self._port}" if self._port not in (None, "22") else self._name
        path = self._folder() / f"{self._digest()}.known"
        path.write_text(f"{name} {self._host_key}\n")
        return str(path)
