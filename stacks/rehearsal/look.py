"""Looks at the rehearsed job from outside, as `watch` does."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.errors import HostError, HostGoneError
from infra.jobs.job import JobStatus
from infra.machines import open_machine, open_work
from infra.runs.figures import read_figures
from infra.runs.status import RunStatus, run_status

LOOK_S = 3.0
JOB_WITHIN_S = 600.0


def look(outputs: Mapping[str, Any]) -> tuple[JobStatus, RunStatus]:
    """How the job is, and how far its run."""
    status = open_work(outputs["where"]).status()
    run = outputs["run"]
    try:
        return status, run_status(*read_figures(open_machine(run["host"]), run["path"]))
    except HostGoneError:
        return status, run_status(None, [])


def follow(
    outputs: Mapping[str, Any],
    say: Callable[[str], None],
    *,
    until: Callable[[RunStatus], bool] | None = None,
) -> tuple[JobStatus, RunStatus]:
    """A line every few seconds, until the job is over, `until` says so, or it takes too long."""
    deadline = time.monotonic() + JOB_WITHIN_S
    while True:
        status, run = look(outputs)
        say(_line(status, run))
        if status.over or (until is not None and until(run)) or time.monotonic() >= deadline:
            return status, run
        time.sleep(LOOK_S)


def release(outputs: Mapping[str, Any]) -> bool:
    """Tell the pod that its run is safe, so that it need not linger for its owner; False if it is gone already."""
    try:
        folder = str(outputs["where"]["folder"])
        return open_machine(outputs["run"]["host"]).run(["touch", f"{folder}/released"]).code == 0
    except HostError:
        return False


def _line(status: JobStatus, run: RunStatus) -> str:
    total = f" of {run.total_steps}" if run.total_steps else ""
    loss = "-" if run.loss is None else f"{run.loss:.3f}"
    outcome = f": {status.outcome}" if status.outcome else ""
    return f"{status.state}{outcome}  step {run.step}{total}  loss {loss}  ${run.usd:.4f}"
