"""SSH key pairs of this machine's own, one a stack: made when first needed, forgotten when nothing is left to reach."""

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.errors import HostError
from infra.state_folder import state_folder, write_whole

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
PUBLIC = ".pub"


def key_path(name: str) -> Path:
    """Where the private key of that name lies, made or not; its public half beside it, with `.pub`.

    Raises:
        HostError: a name that is none.
    """
    if not NAME.match(name) or name.endswith(PUBLIC):
        raise HostError(
            f"{name!r} is no name of a key; letters, digits and . _ - are allowed, a letter first"
        )
    return state_folder() / "keys" / name


def ensure_key(name: str) -> str:
    """The public key of that name, `ssh-ed25519 AAAA... NAME`; the pair is made if there is none.

    Two who ask at once get the same one.

    Raises:
        HostError: ssh-keygen is missing, the key is damaged, or it cannot be written.
    """
    path = key_path(name)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            _make(path)
        # Read out of the private half: after a crash between the two files the public one may be absent.
        public = f"{_public_half(path)} {name}"
        write_whole(path.with_name(path.name + PUBLIC), f"{public}\n")
    except OSError as error:
        raise HostError(f"the key {path} cannot be written ({error.strerror})") from error
    return public


def public_key(name: str) -> str | None:
    """The public key of that name, `ssh-ed25519 AAAA...`; None where this machine has none, and none is made.

    Raises:
        HostError: ssh-keygen is missing, or the key is damaged.
    """
    path = key_path(name)
    return _public_half(path) if path.is_file() else None


def forget_key(name: str) -> None:
    """Remove both halves; fine if they are gone already."""
    path = key_path(name)
    path.unlink(missing_ok=True)
    path.with_name(path.name + PUBLIC).unlink(missing_ok=True)


def _public_half(path: Path) -> str:
    return " ".join(_keygen(["-y", "-f", str(path)], path).split()[:2])


def _make(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        made = Path(folder) / "key"
        _keygen(["-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(made)], path)
        try:
            os.link(made, path)  # whole or not at all, and never over another's
        except FileExistsError:
            return


def _keygen(words: Sequence[str], path: Path) -> str:
    try:
        # No terminal and no input: a damaged key, or one with a passphrase, is an error and no question.
        done = subprocess.run(  # noqa: S603 our own words
            ["ssh-keygen", *words],  # noqa: S607 the system's own
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise HostError("ssh-keygen is not installed on this machine; install openssh-client") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"code {done.returncode}"]
        raise HostError(f"the key {path} cannot be used: {last[0]}; remove it to have a new one made")
    return done.stdout
