"""A stack's age identity: made at first use, kept on this machine, given to a job's memory and to nothing else.

app/seal/key.py is the same on the host; tests/test_seam.py seals on one side and unseals on the other. The file is as
age-keygen writes it: `age -d -i FILE` opens any sealed file without this program.
"""

import hashlib
import hmac
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pyrage

from infra.errors import SealError
from infra.specs import SEAL_KEY

SUFFIX = ".age"


class SealKey:
    """Seals and unseals; never shows itself."""

    def __init__(self, identity: Any) -> None:
        self._identity = identity
        # Names and fingerprints come from a key of their own: whoever reads the disk cannot try guesses on them.
        self._naming = hashlib.sha256(f"sonarstack names {identity}".encode()).digest()

    @property
    def recipient(self) -> str:
        """The public half: `age -r RECIPIENT` seals for this key."""
        return str(self._identity.to_public())

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling the key."""
        return self.name_of("key")[:16]

    def secret_variables(self) -> dict[str, str]:
        """What a sealed job is given beside its variables: through standard input, never by argument or state."""
        return {SEAL_KEY: str(self._identity)}

    def name_of(self, *parts: str) -> str:
        """A name that only the key's owner can compute: the same for the same parts."""
        message = "\0".join(parts).encode(errors="surrogateescape")
        return hmac.new(self._naming, message, hashlib.sha256).hexdigest()[:40]

    def seal_file(self, source: Path, target: Path) -> None:
        """Write `target`, whole or not at all; the caller sees to it that it is on the disk (many files, one wait)."""
        with source.open("rb") as stream:
            _write_whole(
                target,
                lambda out: pyrage.encrypt_io(stream, out, [self._identity.to_public()]),
                sync=False,
            )

    def seal_bytes(self, data: bytes, target: Path) -> None:
        """The same for what is in memory."""
        sealed = pyrage.encrypt(data, [self._identity.to_public()])
        _write_whole(target, lambda out: out.write(sealed))

    def unseal_file(self, source: Path, target: Path, *, sha256: str) -> None:
        """Write `target`; it must have this checksum.

        Raises:
            SealError: the file is missing, cut, changed, sealed for another key, or another one.
        """
        with target.open("wb") as opened:
            self._open(source, opened)
        with target.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                raise SealError(f"{source} is not the file that the sealed index names")

    def unseal_bytes(self, source: Path) -> bytes:
        """A sealed file's content; see `unseal_file`."""
        opened = io.BytesIO()
        self._open(source, opened)
        return opened.getvalue()

    def _open(self, source: Path, target: Any) -> None:
        try:
            with source.open("rb") as stream:
                pyrage.decrypt_io(stream, target, [self._identity])
        except FileNotFoundError as error:
            raise SealError(f"{source} is missing: the sealed folder is not whole") from error
        except (pyrage.DecryptError, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk's, not the seal's
            raise SealError(
                f"{source} cannot be unsealed: it is cut short, changed, or sealed for another key"
            ) from error


def seal_key(keys: Path, stamp: str) -> SealKey:
    """The stack's key; made if there is none. Whoever loses this file loses what was sealed for it.

    Args:
        keys: this machine's folder of keys.

    Raises:
        SealError: the file is no age identity, or cannot be written.
    """
    path = keys / f"{stamp}{SUFFIX}"
    try:
        if not path.exists():
            _make(path)
        return load_seal_key(path)
    except OSError as error:
        raise SealError(f"the key {path} cannot be written ({error.strerror})") from error


def load_seal_key(path: Path) -> SealKey:
    """The key in a file as age-keygen writes it.

    Raises:
        SealError: there is none.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError as error:
        raise SealError(
            f"the key {path} is missing; sealed data and runs can only be opened where their stack's key is"
        ) from error
    identity = next((line for line in lines if line.startswith("AGE-SECRET-KEY-")), "")
    try:
        return SealKey(pyrage.x25519.Identity.from_str(identity))
    except pyrage.IdentityError:
        raise SealError(
            f"{path} holds no age identity (AGE-SECRET-KEY-1...); bring the right file back"
        ) from None


def _make(path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    text = f"# public key: {identity.to_public()}\n{identity}\n"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # 0600
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(name, path)  # whole or not at all, and never over another's
    except FileExistsError:
        return
    finally:
        Path(name).unlink()


def _write_whole(target: Path, write: Any, *, sync: bool = True) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        Path(name).replace(target)
    except pyrage.EncryptError as error:
        raise SealError(f"{target} cannot be sealed: {error}; is the disk full?") from error
    finally:
        Path(name).unlink(missing_ok=True)
