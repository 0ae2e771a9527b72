"""TrainingRun: knows how a job is and how it ended; its end brings the run home."""

from pathlib import Path
from typing import Any

from infra.errors import HostError, InfraError, RunHomeError
from infra.hosts.host import open_host
from infra.jobs.detached import start_detached, where_of
from infra.jobs.job import Job, JobStatus, log_tail, open_job, wait_for
from infra.provider.discard import DISCARD
from infra.provider.table import Call, InitFailedError, Made, Values, require
from infra.provider.tables.local_process import spec_of
from infra.runs.home import bring_home
from infra.runs.status import parse_metrics, parse_record, run_status

LOG_LINES = 20
STARTS_WITHIN_S = 60.0
FIRST_SECONDS_S = 3.0
"""Time in which a job that cannot work at all shows it."""
GRACE_S = 60.0
OBSERVED = ("state", "outcome", "exitCode", "reason", "step", "log")


class TrainingRunTable:
    """The job is started by whatever `where` tells of, or here by `start` over SSH."""

    token = "sonarstack:index:TrainingRun"  # noqa: S105 a type, no secret
    replaces = frozenset({"where", "start", "runPath", "runHost", "trigger"})
    computed = ("where", *OBSERVED)

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        problems = require(inputs, "runPath", "home")
        if not inputs.get("where") and not inputs.get("start"):
            problems["where"] = "is missing, and so is `start`; one of them tells of the job"
        return problems

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`."""
        where = self._where(inputs)
        job = open_job(where)
        wait_for(
            job,
            until=lambda s: s.state != "waiting",
            timeout_s=STARTS_WITHIN_S,
            cancelled=call.cancelled.is_set,
        )
        made = Made(id=_id(where), outputs={"where": where})
        status = self._await(call, inputs, job)
        outputs = {"where": where, **_observe(inputs, job, status)}
        made = Made(id=made.id, outputs=outputs)
        if inputs.get("wait") and call.cancelled.is_set() and not status.over:
            raise InitFailedError("the wait for the job's end was cancelled; the job itself goes on", made)
        return _refuse_failed(made, status)

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`; a job that is gone is still known, for its run is."""
        job = open_job(outputs["where"])
        return {**outputs, **_observe(inputs, job, job.status())}

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`: looks at the job, so that every `up` brings the outputs up to date."""
        try:
            job = open_job(outputs["where"])
            now = _observe(inputs, job, job.status())
        except InfraError:
            # A preview must not fail because a machine is away; refresh and destroy will say so.
            return []
        return [key for key in OBSERVED if now.get(key) != outputs.get(key)]

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: looks again, and waits where that is asked for."""
        job = open_job(outputs["where"])
        status = self._await(call, inputs, job) if inputs.get("wait") else job.status()
        made = Made(id=id_, outputs={**outputs, **_observe(inputs, job, status)})
        return _refuse_failed(made, status).outputs

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`: stop with a checkpoint, bring the run home, verify; or stop the destroy."""
        job = open_job(outputs["where"])
        try:
            status = job.stop(float(inputs.get("stopGraceS") or GRACE_S))
            bring_home(
                open_host(inputs.get("runHost")),
                inputs["runPath"],
                Path(inputs["home"]),
                crashed=status.outcome == "failed",
                cancelled=call.cancelled.is_set,
            )
            if inputs.get("start"):
                job.remove()
        except (HostError, RunHomeError) as error:
            # Read at this moment and not from the state: to lose a run is never a setting.
            if call.variables.get(DISCARD) != "1":
                raise RunHomeError(
                    f"{error}; nothing was destroyed. {DISCARD}=1 (or `stacks down --discard`) goes on without the run"
                ) from error

    def _where(self, inputs: Values) -> dict[str, Any]:
        start = inputs.get("start")
        if not start:
            return dict(inputs["where"])
        where = where_of(inputs.get("runHost"), start["folder"])
        start_detached(open_host(inputs.get("runHost")), spec_of({**start, "trigger": inputs.get("trigger")}))
        return where

    def _await(self, call: Call, inputs: Values, job: Job) -> JobStatus:
        timeout_s = call.timeout_s if inputs.get("wait") else FIRST_SECONDS_S
        return wait_for(job, timeout_s=timeout_s, cancelled=call.cancelled.is_set)


def _observe(inputs: Values, job: Job, status: JobStatus) -> Values:
    host, path = open_host(inputs.get("runHost")), inputs["runPath"]
    metrics = parse_metrics(host.read(f"{path}/metrics.jsonl") or b"")
    run = run_status(parse_record(host.read(f"{path}/run.json")), metrics)
    return {
        "state": status.state,
        "outcome": status.outcome or "",
        "exitCode": -1 if status.exit_code is None else status.exit_code,
        "reason": run.ended or status.reason,
        "step": run.step,
        "log": log_tail(job, LOG_LINES),
    }


def _refuse_failed(made: Made, status: JobStatus) -> Made:
    """A job that failed fails `up`; the codes that count as ended do not."""
    if status.state in ("failed", "lost"):
        raise InitFailedError(
            f"the job failed: {status.reason}. Its last lines:\n{made.outputs['log']}", made
        )
    return made


def _id(where: dict[str, Any]) -> str:
    return str(where.get("name") or where.get("folder") or where["kind"])
