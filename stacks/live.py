"""A stack that is up, as the verbs look at it: its job, its run, its home."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.errors import EngineError, HostGoneError
from infra.hosts.host import Host
from infra.hosts.local import LocalHost
from infra.jobs.job import Job, JobStatus
from infra.machines import open_machine, open_work
from infra.runs.figures import read_figures
from infra.runs.pace import seconds_left_range
from infra.runs.status import RunStatus, run_status
from infra.vm.now import KINDS
from stacks.engine import engine_variables, stack_outputs
from stacks.settings import read_stack_file

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at a job and its run."""

    status: JobStatus
    run: RunStatus
    left_s: tuple[float, float] | None = None
    """Seconds to the end, at the fastest and at the slowest recent pace."""
    gone: str = ""
    """Why its machine cannot be looked at any more; the figures are then those at home."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveStack:
    """What a stack's outputs lead to; the same for every target."""

    stack: str
    outputs: dict[str, Any]
    job: Job
    machine: Mapping[str, Any] | None
    """What `open_machine` takes; None for this one."""
    run_path: str

    @property
    def host(self) -> Host:
        """Where the run is written, found anew: a pod's address changes when it starts again.

        Raises:
            HostGoneError: it is no more.
        """
        return open_machine(self.machine)

    @property
    def home(self) -> Path:
        """Where the run is, or comes home to."""
        return Path(self.outputs["home"])

    @property
    def job_folder(self) -> str | None:
        """Where its machine looks for signs; None on targets whose machines do not end by themselves."""
        folder = (self.outputs.get("where") or {}).get("folder")
        return None if folder is None or self.pod is None else str(folder)

    @property
    def pod(self) -> str | None:
        """Name of the rented machine, on targets that rent one of ours."""
        return str(self.machine["pod"]) if self.machine and "pod" in self.machine else None

    @property
    def rented(self) -> bool:
        """Whether its machine is rented."""
        return self.pod is not None or self.outputs["where"].get("kind") in KINDS

    @property
    def lies_on_machine_alone(self) -> bool:
        """Whether the run goes with its rented machine."""
        return self.pod is not None and not (self.machine or {}).get("remains")

    @property
    def seal(self) -> str | None:
        """Name of the key that opens the run; None for one that lies open."""
        seal = self.outputs["run"].get("seal")
        return None if seal is None else str(seal)

    def look(self) -> Look:
        """How the job is, and how far its run.

        Raises:
            InfraError: its machine cannot be reached now.
        """
        status = self.job.status()
        try:
            run, left_s = _figures(self.host, self.run_path)
        except HostGoneError as error:
            run, _ = _figures(LocalHost(), str(self.home))
            return Look(status=status, run=run, gone=str(error))
        return Look(status=status, run=run, left_s=None if status.over else left_s)


def open_stack(stack: str) -> LiveStack:
    """The stack that is up under this name.

    Raises:
        EngineError: it is not up, or the pulumi program is missing.
    """
    target = read_stack_file(PROJECT, stack).target
    variables = engine_variables(PROJECT, target, os.environ)
    outputs = stack_outputs(PROJECT, stack, variables)
    try:
        run, job = outputs["run"], open_work(outputs["where"])
    except KeyError as error:
        raise EngineError(
            f"stack {stack} tells of no job; bring it up again: python -m stacks up {stack}"
        ) from error
    return LiveStack(
        stack=stack, outputs=outputs, job=job, machine=run.get("host"), run_path=str(run["path"])
    )


def _figures(host: Host, path: str) -> tuple[RunStatus, tuple[float, float] | None]:
    record, metrics = read_figures(host, path)
    return run_status(record, metrics), seconds_left_range(metrics)
