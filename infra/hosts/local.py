"""This machine as a host."""

from collections.abc import Callable, Sequence
from pathlib import Path

from infra.errors import HostError
from infra.hosts.host import Completed
from infra.hosts.process import run_program


class LocalHost:
    """Commands run here, as the user who asks."""

    address = "local"

    def run(
        self,
        argv: Sequence[str],
        *,
        data: bytes = b"",
        timeout_s: float = 60.0,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Completed:
        """See `Host.run`."""
        return run_program(
            argv,
            what=f"{argv[0]} on this machine",
            data=data,
            timeout_s=timeout_s,
            cancelled=cancelled,
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
