"""A stack that is up, as the verbs look at it: its job, its run, its home."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.errors import EngineError
from infra.hosts.host import Host, open_host
from infra.jobs.job import Job, JobStatus, open_job
from infra.runs.manifest import RECORD
from infra.runs.status import RunStatus, parse_metrics, parse_record, run_status
from stacks.engine import engine_variables, stack_outputs
from stacks.settings import read_stack_file

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveStack:
    """What a stack's outputs lead to; the same for every target."""

    stack: str
    outputs: dict[str, Any]
    job: Job
    host: Host
    """Where the run is written."""
    run_path: str

    def status(self) -> tuple[JobStatus, RunStatus]:
        """How the job is, and how far its run."""
        status = self.job.status()
        metrics = parse_metrics(self.host.read(f"{self.run_path}/metrics.jsonl") or b"")
        return status, run_status(parse_record(self.host.read(f"{self.run_path}/{RECORD}")), metrics)


def open_stack(stack: str, *, folder: Path = PROJECT) -> LiveStack:
    """The stack that is up under this name.

    Raises:
        EngineError: it is not up, or the pulumi program is missing.
    """
    target = read_stack_file(folder, stack).target
    variables = engine_variables(folder, target, os.environ)
    outputs = stack_outputs(folder, stack, variables)
    try:
        run = outputs["run"]
        job, host = open_job(outputs["where"]), open_host(run.get("host"))
    except KeyError as error:
        raise EngineError(
            f"stack {stack} tells of no job; bring it up again: python -m stacks up {stack}"
        ) from error
    return LiveStack(stack=stack, outputs=outputs, job=job, host=host, run_path=str(run["path"]))
