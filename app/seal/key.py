"""The key of a sealed stack: an age identity; seals files for itself, and names them so that names tell nothing.

infra/seal/key.py is the same at home; tests/test_seam.py seals on one side and unseals on the other.
"""

import hashlib
import hmac
import io
from pathlib import Path
from typing import Any

from app.errors import SealError
from app.secrets import SEAL_KEY
from app.storage import atomic_write


class SealKey:
    """Seals and unseals; never shows itself."""

    def __init__(self, identity: str) -> None:
        """Take an identity as age-keygen writes it.

        Raises:
            SealError: it is none, or pyrage is not installed.
        """
        try:
            import pyrage
        except ImportError as error:
            raise SealError(
                "a sealed run needs pyrage; install it: pip install 'sonarstack[cloud]'"
            ) from error
        try:
            self._identity: Any = pyrage.x25519.Identity.from_str(identity.strip())
        except pyrage.IdentityError:
            raise SealError(f"{SEAL_KEY} is no age identity (AGE-SECRET-KEY-1...)") from None
        self._age = pyrage
        # Names and fingerprints come from a key of their own: whoever reads the disk cannot try guesses on them.
        self._naming = hashlib.sha256(f"sonarstack names {self._identity}".encode()).digest()

    @property
    def fingerprint(self) -> str:
        """Tells keys apart without telling the key."""
        return self.name_of("key")[:16]

    def name_of(self, *parts: str) -> str:
        """A name that only the key's owner can compute: the same for the same parts."""
        message = "\0".join(parts).encode(errors="surrogateescape")
        return hmac.new(self._naming, message, hashlib.sha256).hexdigest()[:40]

    def seal_file(self, source: Path, target: Path) -> None:
        """Write `target`, whole or not at all.

        Raises:
            OutputError: the disk does not take it.
        """
        with source.open("rb") as stream, atomic_write(target) as sealed:
            self._age.encrypt_io(stream, sealed, [self._identity.to_public()])

    def unseal_file(self, source: Path, target: Path, *, sha256: str) -> None:
        """Write `target`, whole and with this checksum, or not at all.

        Raises:
            SealError: the file is cut, changed, sealed for another key, or another one.
            OutputError: the place for `target` does not take it.
        """
        with source.open("rb") as stream, atomic_write(target) as opened:
            hashed = _Hashed(opened)
            self._open(stream, hashed, source)
            if hashed.digest.hexdigest() != sha256:
                raise SealError(f"{source} is not the file that the sealed index names")

    def seal_bytes(self, data: bytes) -> bytes:
        """The same for what is in memory."""
        sealed: bytes = self._age.encrypt(data, [self._identity.to_public()])
        return sealed

    def unseal_bytes(self, source: Path) -> bytes:
        """A sealed file's content.

        Raises:
            SealError: see `unseal_file`.
        """
        opened = io.BytesIO()
        with source.open("rb") as stream:
            self._open(stream, opened, source)
        return opened.getvalue()

    def _open(self, stream: Any, target: Any, source: Path) -> None:
        try:
            self._age.decrypt_io(stream, target, [self._identity])
        except (self._age.DecryptError, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the disk's, not the seal's
            raise SealError(
                f"{source} cannot be unsealed: it is cut short, changed, or sealed for another key"
            ) from error


class _Hashed:
    """Passes on what is written, and hashes it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return int(self._stream.write(data))

    def flush(self) -> None:
        self._stream.flush()
