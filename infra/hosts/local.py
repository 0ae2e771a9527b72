"""This machine as a host."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Completed


class LocalHost:
    """Commands run here, as the user who asks."""

    address = "local"

    def run(self, argv: Sequence[str], *, data: bytes = b"", timeout_s: float = 60.0) -> Completed:
        """See `Host.run`."""
        try:
            done = subprocess.run(  # noqa: S603 the caller's own words, no shell between
                list(argv), input=data, capture_output=True, timeout=timeout_s, check=False
            )
        except FileNotFoundError as error:
            raise HostError(f"{argv[0]} is not installed on this machine; install it") from error
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{argv[0]} on this machine did not end within {timeout_s:g} s") from error
        return Completed(
            code=done.returncode, out=done.stdout, err=done.stderr.decode(errors="replace").strip()
        )

    def read(self, path: str, offset: int = 0) -> bytes | None:
        """See `Host.read`."""
        try:
            with Path(path).expanduser().open("rb") as stream:
                stream.seek(offset)
                return stream.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise HostError(f"{path} cannot be read ({error.strerror})") from error
