"""What every job can be asked, wherever it runs."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from infra.errors import JobError
from infra.outcomes import counts_as_ended, outcome_of

State = Literal["waiting", "running", "ended", "failed", "lost"]
"""waiting: not begun; ended: with a code that counts as an end; lost: gone without a code."""
POLL_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStatus:
    """How a job is."""

    state: State
    exit_code: int | None = None
    reason: str = ""

    @property
    def outcome(self) -> str | None:
        """done, deadline, budget, idle, interrupted or failed; None while it runs."""
        if self.exit_code is not None:
            return outcome_of(self.exit_code)
        return "failed" if self.state in ("failed", "lost") else None

    @property
    def over(self) -> bool:
        """Whether it will not change any more."""
        return self.state in ("ended", "failed", "lost")


class Job(Protocol):
    """One job."""

    def status(self) -> JobStatus:
        """How it is now.

        Raises:
            InfraError: the place where it runs does not answer.
        """

    def read_log(self, offset: int = 0) -> bytes:
        """Its output from a byte on, as far as it is kept."""

    def stop(self, grace_s: float = 60.0) -> JobStatus:
        """Ask it to end (SIGTERM, on which it writes a checkpoint), and make it after the grace."""

    def remove(self) -> None:
        """Drop what it left where it ran, its run apart; fine if nothing is there."""


def ended(exit_code: int, reason: str = "") -> JobStatus:
    """The status of a job that ended with a code."""
    state: State = "ended" if counts_as_ended(exit_code) else "failed"
    return JobStatus(state=state, exit_code=exit_code, reason=reason or _reason(exit_code))


def wait_for(
    job: Job,
    *,
    until: Callable[[JobStatus], bool] = lambda status: status.over,
    timeout_s: float | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> JobStatus:
    """Look until it is as wanted, the time is up, or somebody cancels; the last status."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    pause = POLL_S / 10
    while True:
        status = job.status()
        if until(status) or cancelled() or (deadline is not None and time.monotonic() >= deadline):
            return status
        time.sleep(pause)
        pause = min(pause * 1.5, 4 * POLL_S)


def log_tail(job: Job, lines: int = 20) -> str:
    """The last lines of a job's output."""
    return "\n".join(job.read_log().decode(errors="replace").splitlines()[-lines:])


def follow_log(job: Job, *, pause_s: float = POLL_S) -> Iterator[str]:
    """Whole lines of a job's output as they come, until it is over."""
    offset, rest = 0, b""
    while True:
        over = job.status().over  # asked first, so that nothing written before the end is missed
        fresh = job.read_log(offset)
        offset += len(fresh)
        *lines, rest = (rest + fresh).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in lines)
        if over:
            if rest:
                yield rest.decode(errors="replace")
            return
        if not fresh:
            time.sleep(pause_s)


def open_job(where: Mapping[str, Any]) -> Job:
    """The job that a stack's output `where` tells of.

    Raises:
        JobError: it tells of none.
    """
    from infra.hosts.host import open_host
    from infra.jobs.detached import DetachedJob

    kind = where.get("kind")
    if kind == "container":
        from infra.jobs.container import ContainerJob

        return ContainerJob(str(where["id"]), docker_host=where.get("dockerHost"))
    if kind in ("process", "ssh"):
        return DetachedJob(open_host(where.get("host")), str(where["folder"]))
    raise JobError(f"the stack tells of no job that can be looked at (kind {kind!r}); run `up` first")


def _reason(exit_code: int) -> str:
    if exit_code > 128:
        return f"ended by signal {exit_code - 128}" + (
            " (killed, or out of memory)" if exit_code == 137 else ""
        )
    return f"exit code {exit_code}"
