"""Brings a run home at each new checkpoint while `watch` looks, where it lies on the rented machine alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from infra.errors import HostGoneError, InfraError
from infra.runs.open_home import bring_home_open
from infra.seal.folder import MARK

if TYPE_CHECKING:
    from stacks.live import LiveStack, Look

NEWEST = "checkpoints/latest.json"
"""Another text with each checkpoint; of a sealed run its mark is."""


class Mirror:
    """Of one stack; `tell` gets a line for whatever is worth one."""

    def __init__(self, live: "LiveStack", tell: Callable[[str], None]) -> None:
        self._live, self._tell = live, tell
        self._newest: bytes | None = None
        self.over = False
        """Whether all of it is at home."""
        self._problem = ""
        tell(f"no network volume: while this runs, each new checkpoint comes home to {live.home}")

    def look(self, seen: "Look") -> None:
        """Bring it home if there is more than there was; what fails is told and tried again at the next look."""
        if self.over or seen.gone:
            return
        try:
            self._bring(seen)
            self._problem = ""
        except HostGoneError:
            return  # the next look tells how it ended
        except InfraError as error:
            if str(error) != self._problem:
                self._tell(f"NOT brought home, tried again at the next look: {error}")
            self._problem = str(error)

    def _bring(self, seen: "Look") -> None:
        host, path = self._live.host, self._live.run_path
        newest = host.read(f"{path}/{MARK if self._live.seal else NEWEST}")
        if not seen.status.over and (newest is None or newest == self._newest):
            return
        over = seen.status.over
        receipt = bring_home_open(
            host,
            path,
            self._live.home,
            seal=self._live.seal,
            job=self._live.job_folder,
            over=over,
            crashed=over and seen.status.outcome == "failed",
        )
        self._newest, self.over = newest, over
        if receipt.began:
            self._tell(f"brought home at step {seen.run.step}: {receipt.as_text()}")
