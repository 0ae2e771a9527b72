"""How a job on a rented machine is stopped from here: asked first, then its machine ended, and waited for."""

import time
from typing import Protocol

from infra.errors import JobError
from infra.jobs.job import JobStatus

STOP = "mkdir -p /run/sonarstack && touch /run/sonarstack/stop-asked && systemctl stop --no-block sonarstack.service"
"""The mark first: a stop without it would read as the cloud taking the machine."""
POLL_S = 5.0
ENDS_WITHIN_S = 300.0
"""In which a machine that was told to go is gone."""


class Stoppable(Protocol):
    """What a cloud knows of the job and its machine."""

    def status(self) -> JobStatus:
        """How the job is."""

    def ask(self) -> None:
        """Have the machine run STOP; fine if it cannot any more."""

    def end(self) -> None:
        """Have the machine go; fine if it is gone."""

    def lives(self) -> bool:
        """Whether the cloud lists the machine still."""


def stop(job: Stoppable, name: str, *, grace_s: float, poll_s: float, console: str) -> JobStatus:
    """Ask, wait, end, and wait until it is gone; a job that is over already only has its machine ended.

    Args:
        name: of what is to go, and `console` where to look if it does not.

    Raises:
        JobError: the machine does not go.
    """
    status = job.status()
    if status.over:
        job.end()
        return status
    job.ask()
    until = time.monotonic() + grace_s
    while not job.status().over and time.monotonic() < until:
        time.sleep(poll_s)
    job.end()
    until = time.monotonic() + ENDS_WITHIN_S
    while job.lives():
        if time.monotonic() > until:
            raise JobError(f"the machine of {name} does not go; look at it in {console}")
        time.sleep(poll_s)
    return job.status()
