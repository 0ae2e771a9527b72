"""A job as a process of its own session on a host: it outlives whoever started it and is found again by its folder.

The folder holds: spec and stamp (what it is and whose), again (a script that starts it, with the variables that are not
secret), started (made once, by the one wrapper that runs the job), pid, log, exit_code. A machine that was restarted
runs `again`. That of a job with secrets leaves no more than owner_must_start: it is lost until its owner starts it.
"""

import hashlib
import json
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.errors import JobError
from infra.hosts.host import Host
from infra.jobs.job import JobStatus, ended, wait_for
from infra.jobs.shell import CLEAR, LAUNCH, SIGNAL, STATUS, WRAPPER

STARTS_WITHIN_S = 30.0
GONE_WITHIN_S = 5.0
ORPHAN_GRACE_S = 20
"""For the last checkpoint of a job whose wrapper was killed and that still runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetachedSpec:
    """What is run, and for whom."""

    folder: str
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    """Beside the host's own; those of ours that the host has are dropped first."""
    cwd: str
    stamp: str
    trigger: str = ""
    """Part of the job's identity: another trigger is another job."""

    late: Mapping[str, str] = field(default_factory=dict)
    """Variables known only at the start, such as the hours that are left: no part of the job's identity."""
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that no file keeps once the job has read them; only their names are part of its identity."""

    def __post_init__(self) -> None:
        names = [*self.variables, *self.late, *self.secret]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: each variable is of one kind; drop it from the others")

    def digest(self) -> str:
        """The same for the same job."""
        parts = [list(self.argv), dict(sorted(self.variables.items())), self.cwd, self.stamp, self.trigger]
        if self.secret:
            parts.append(sorted(self.secret))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def launch_input(self) -> bytes:
        """What `LAUNCH` reads: shell lines that set the variables, behind a line each kind begins with."""
        # Unforeseeable, so that no value can hold it.
        mark = secrets.token_hex(16)
        plain, hidden = _exports({**self.variables, **self.late}), _exports(self.secret)
        return f"{mark}\n{plain}{mark}\n{hidden}".encode()


class DetachedJob:
    """The job of a folder."""

    def __init__(self, host: Host, folder: str) -> None:
        self._host, self._folder = host, folder

    def status(self) -> JobStatus:
        """See `Job.status`."""
        done = self._host.run(["sh", "-c", STATUS, "status", self._folder])
        word, _, rest = done.out.decode(errors="replace").strip().partition(" ")
        if word == "ended" and rest.lstrip("-").isdigit():
            return ended(int(rest))
        if word == "running":
            return JobStatus(state="running")
        if word in ("waiting", "starting"):
            return JobStatus(state="waiting")
        if word == "absent":
            return JobStatus(state="lost", reason=f"no job in {self._folder}")
        if word == "owner":
            return JobStatus(
                state="lost",
                reason="its machine was restarted, without the job's secrets; run `up`, which gives them anew",
            )
        if word == "lost":
            return JobStatus(
                state="lost", reason="its process is gone and left no exit code (power cut, or kill -9)"
            )
        raise JobError(
            f"the job in {self._folder} on {self._host.address} cannot be looked at: {done.err or word}"
        )

    def read_log(self, offset: int = 0) -> bytes:
        """See `Job.read_log`."""
        return self._host.read(f"{self._folder}/log", offset) or b""

    def stop(self, grace_s: float = 60.0) -> JobStatus:
        """See `Job.stop`."""
        status = self.status()
        if status.over or status.state == "waiting":
            return status
        self._signal("TERM")
        status = wait_for(self, timeout_s=grace_s)
        if not status.over:
            self._signal("KILL")
            status = wait_for(self, timeout_s=GONE_WITHIN_S)
        # Whatever the job itself had started and left behind is of its session and goes with it.
        self._signal("GROUP")
        return wait_for(self, timeout_s=GONE_WITHIN_S)

    def remove(self) -> None:
        """See `Job.remove`; a running job is never taken away.

        Raises:
            JobError: it still runs.
        """
        if self.status().state == "running":
            raise JobError(f"the job in {self._folder} on {self._host.address} still runs; stop it first")
        self._host.run(["sh", "-c", '[ -f "$1/spec" ] && rm -rf -- "$1"; :', "remove", self._folder])

    def stored_spec(self) -> str | None:
        """Digest of what was asked to run here; None if nothing was."""
        spec = self._host.read(f"{self._folder}/spec")
        return spec.decode(errors="replace").strip() if spec is not None else None

    def _signal(self, kind: str) -> None:
        self._host.run(["sh", "-c", SIGNAL, "signal", self._folder, kind])


def start_detached(host: Host, spec: DetachedSpec) -> DetachedJob:
    """Start the job, or adopt it if the folder holds it already, running or ended; never a second one.

    Raises:
        JobError: the folder holds another job that still runs, or this one did not begin.
    """
    job = DetachedJob(host, spec.folder)
    there = job.stored_spec()
    if there is not None and there != spec.digest():
        if job.status().state in ("running", "waiting") and _began(host, spec.folder):
            raise JobError(
                f"{spec.folder} on {host.address} runs another job; stop it, or name another folder"
            )
        job.remove()
        there = None
    if there is None or not _began(host, spec.folder):
        _launch(host, spec)
    return _begun(host, spec)


def restart_detached(host: Host, spec: DetachedSpec) -> DetachedJob:
    """Start the job anew in a folder whose job is lost, has ended, or ran on an earlier machine; its log goes on.

    Raises:
        JobError: a job still runs there, or this one did not begin.
    """
    done = host.run(
        ["sh", "-c", CLEAR, "clear", spec.folder, str(ORPHAN_GRACE_S)], timeout_s=ORPHAN_GRACE_S + 40
    )
    if done.out.strip() == b"running":
        raise JobError(f"the job in {spec.folder} on {host.address} still runs; stop it first")
    if done.code:
        raise JobError(f"{spec.folder} on {host.address} cannot be cleared: {done.err or done.code}")
    _launch(host, spec)
    return _begun(host, spec)


def adopt(host: Host, spec: DetachedSpec) -> DetachedJob | None:
    """The job if its folder holds it, begun and of the same spec."""
    job = DetachedJob(host, spec.folder)
    return job if job.stored_spec() == spec.digest() and _began(host, spec.folder) else None


def where_of(host_where: Mapping[str, Any] | None, folder: str) -> dict[str, Any]:
    """What `open_job` takes to find it again."""
    if host_where is None:
        return {"kind": "process", "folder": folder}
    return {"kind": "ssh", "folder": folder, "host": dict(host_where)}


def _begun(host: Host, spec: DetachedSpec) -> DetachedJob:
    job = DetachedJob(host, spec.folder)
    status = wait_for(job, until=lambda s: s.state != "waiting", timeout_s=STARTS_WITHIN_S)
    if status.state == "waiting":
        raise JobError(
            f"the job in {spec.folder} on {host.address} did not begin within {STARTS_WITHIN_S:g} s"
        )
    return job


def _exports(variables: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def _began(host: Host, folder: str) -> bool:
    return host.run(["sh", "-c", '[ -d "$1/started" ]', "began", folder]).code == 0


def _launch(host: Host, spec: DetachedSpec) -> None:
    # Variables go by standard input: an argument would stand in the host's list of processes.
    parts = (spec.digest(), spec.stamp, spec.cwd, spec.folder)
    done = host.run(
        ["sh", "-c", LAUNCH, "launch", *parts, WRAPPER, *spec.argv],
        data=spec.launch_input(),
        timeout_s=30,
    )
    if done.code:
        raise JobError(
            f"the job in {spec.folder} on {host.address} cannot be started: {done.err or done.code}"
        )
