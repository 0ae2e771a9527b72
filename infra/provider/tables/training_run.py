"""TrainingRun: knows how a job is and how it ended; its end brings the run home."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from infra.errors import HostError, HostGoneError, InfraError, RunHomeError
from infra.hosts.host import Host
from infra.jobs.detached import DetachedJob, DetachedSpec, adopt, restart_detached, start_detached
from infra.jobs.job import Job, JobStatus, log_tail, wait_for
from infra.journal import Journal
from infra.machines import is_gone, open_machine, open_remains, open_run, open_work, where_of_work
from infra.provider.discard import refuse_to_lose
from infra.provider.table import Call, InitFailedError, Made, Values, require
from infra.provider.tables.local_process import spec_of
from infra.provider.terms import late_variables
from infra.runpod.open_runs import expect_run, is_expected, pod_of, run_is_home
from infra.runs.figures import read_figures
from infra.runs.manifest import MANIFEST, differences, read_manifest
from infra.runs.open_home import bring_home_open
from infra.runs.status import RunStatus, run_status
from infra.seal.key import seal_key
from infra.state_folder import state_folder

LOG_LINES = 20
STARTS_WITHIN_S = 60.0
FIRST_SECONDS_S = 3.0
"""Time in which a job that cannot work at all shows it."""
GRACE_S = 60.0
SAY_EVERY_S = 10.0
OBSERVED = ("state", "outcome", "exitCode", "reason", "step", "log")


class TrainingRunTable:
    """The job is started by whatever `where` tells of, or here by `start` over SSH."""

    token = "sonarstack:index:TrainingRun"  # noqa: S105 a type, no secret
    replaces = frozenset({"where", "start", "runPath", "runHost", "trigger", "seal"})
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
        made = Made(id=_id(where), outputs={"where": where})
        try:
            job = open_work(where)
            wait_for(
                job,
                until=lambda s: s.state != "waiting",
                timeout_s=STARTS_WITHIN_S,
                cancelled=call.cancelled.is_set,
            )
            status = self._await(call, inputs, job)
            outputs = {"where": where, **_observe(inputs, job, status, {})}
        except InfraError as error:
            # The job is there, only the look failed: unknown to the state, its run would go with its storage.
            raise InitFailedError(str(error), made) from error
        made = Made(id=made.id, outputs=outputs)
        if inputs.get("wait") and call.cancelled.is_set() and not status.over:
            raise InitFailedError("the wait for the job's end was cancelled; the job itself goes on", made)
        return _refuse_failed(made, status)

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`; a job that is gone is still known, for its run is."""
        job = open_work(outputs["where"])
        return {**outputs, **_observe(inputs, job, job.status(), outputs)}

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`: looks at the job, so that every `up` brings the outputs up to date."""
        try:
            job = open_work(outputs["where"])
            now = _observe(inputs, job, job.status(), outputs)
        except InfraError:
            # A preview must not fail because a machine is away; refresh and destroy will say so.
            return []
        return [key for key in OBSERVED if now.get(key) != outputs.get(key)]

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: looks again, takes the job up where its machine lost it, and waits where asked."""
        job = open_work(outputs["where"])
        status = job.status()
        if status.state == "lost" and inputs.get("start") and inputs.get("machine"):
            # Its pod is another one, or was restarted without the secrets that only its owner has.
            restart_detached(open_machine(inputs["runHost"]), _spec(inputs))
            status = self._await(call, inputs, job)
        elif inputs.get("wait"):
            status = self._await(call, inputs, job)
        made = Made(id=id_, outputs={**outputs, **_observe(inputs, job, status, outputs)})
        return _refuse_failed(made, status).outputs

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`: stop with a checkpoint, bring the run home, verify; or stop the destroy."""
        try:
            call.say("asking the job for its last checkpoint")
            with _stopped(call, inputs, outputs) as (host, path, job, status):
                call.say("bringing the run home")
                receipt = bring_home_open(
                    host,
                    path,
                    Path(inputs["home"]),
                    seal=inputs.get("seal"),
                    job=str(outputs["where"]["folder"]) if inputs.get("start") else None,
                    crashed=status.outcome == "failed",
                    cancelled=call.cancelled.is_set,
                )
                if inputs.get("start"):
                    job.remove()
            if receipt.complete and inputs.get("terms"):
                _close_accounts(inputs["terms"])
        except HostGoneError as error:
            # `watch` may have brought all of it home before its machine went.
            if not _came_home(inputs):
                refuse_to_lose(call, error)
        except InfraError as error:
            refuse_to_lose(call, error)
        run_is_home(pod_of(inputs.get("runHost")), inputs["runPath"])

    def _where(self, inputs: Values) -> dict[str, Any]:
        start = inputs.get("start")
        if not start:
            return dict(inputs["where"])
        machine, path = inputs.get("runHost"), inputs["runPath"]
        where = where_of_work(machine, start["folder"])
        try:
            host = open_machine(machine)
        except HostGoneError:
            if not is_expected(pod_of(machine), path):
                raise
            return where  # an `up` that was killed had started it, and its pod has ended since
        begun = is_expected(pod_of(machine), path)
        # Before the start: an engine that dies during it has never heard of this job.
        expect_run(pod_of(machine), path)
        spec = _spec(inputs)
        there = adopt(host, spec)
        if there is not None and there.status().state == "lost":
            restart_detached(host, spec)
            return where
        if there is None and begun:
            # What such an engine left is another job by now: with its checkpoint it is taken up.
            DetachedJob(host, start["folder"]).stop(float(inputs.get("stopGraceS") or GRACE_S))
        start_detached(host, spec)
        return where

    def _await(self, call: Call, inputs: Values, job: Job) -> JobStatus:
        if not inputs.get("wait"):
            return wait_for(job, timeout_s=FIRST_SECONDS_S, cancelled=call.cancelled.is_set)
        next_look = 0.0

        def over(status: JobStatus) -> bool:
            nonlocal next_look
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + SAY_EVERY_S
                with suppress(HostError):  # a pod that ends; how its job ended is the status's to tell
                    run = _run(inputs)
                    of = f" of {run.total_steps}" if run.total_steps else ""
                    call.say(f"{status.state}: step {run.step}{of}, ${run.usd:.2f}")
            return status.over

        return wait_for(job, until=over, timeout_s=call.timeout_s, cancelled=call.cancelled.is_set)


def _came_home(inputs: Values) -> bool:
    """Whether a whole run is at home by its own manifest, and not one from before its machine was rented."""
    home, pod = Path(inputs["home"]), pod_of(inputs.get("runHost"))
    lease = Journal().newest(str((inputs.get("terms") or {}).get("account")), pod)
    try:
        return (
            lease is not None
            and (home / MANIFEST).stat().st_mtime >= lease.rented_at.timestamp()
            and read_manifest(home)[0]
            and not differences(home)
        )
    except (RunHomeError, FileNotFoundError):
        return False


def _close_accounts(terms: Values) -> None:
    """A run that is done and at home: what it cost is no part of what a later one of the same name may cost."""
    Journal().close_run(terms["account"], terms["stamp"], terms["run"])


@contextmanager
def _stopped(call: Call, inputs: Values, outputs: Values) -> Iterator[tuple[Host, str, Job, JobStatus]]:
    """Where the run lies, and its job, which runs no more; what its machine left, if it cannot be reached."""
    machine, path = inputs.get("runHost"), str(inputs["runPath"])
    with ExitStack() as opened:
        try:
            job = open_work(outputs["where"])
            status = job.stop(float(inputs.get("stopGraceS") or GRACE_S))
            found = opened.enter_context(open_run(machine, path, Path(inputs["home"]), call.cancelled.is_set))
        except HostError as error:
            reason = str(error)
        else:
            yield *found, job, status
            return
    try:
        with open_remains(machine, call.cancelled) as host:
            job = DetachedJob(host, str(outputs["where"]["folder"]))
            yield host, path, job, job.status()
    except HostGoneError as error:
        raise HostGoneError(f"{reason}; {error}") from error


def _spec(inputs: Values) -> DetachedSpec:
    """The job as the wire has it, with what is known only at its start."""
    return spec_of(
        {**inputs["start"], "trigger": inputs.get("trigger")},
        late=late_variables(inputs.get("terms") or {}),
        secret={**(inputs.get("secrets") or {}), **_seal_variables(inputs)},
    )


def _seal_variables(inputs: Values) -> dict[str, str]:
    """Read at the moment of starting: the key is in no input and no state."""
    stamp = inputs.get("seal")
    return seal_key(state_folder() / "keys", str(stamp)).secret_variables() if stamp else {}


def _observe(inputs: Values, job: Job, status: JobStatus, before: Values) -> Values:
    seen = {
        "state": status.state,
        "outcome": status.outcome or "",
        "exitCode": -1 if status.exit_code is None else status.exit_code,
    }
    try:
        run = _run(inputs)
        log = log_tail(job, LOG_LINES)
    except HostError:
        if not is_gone(inputs.get("runHost")):
            raise
        # Its figures are what was seen last; the run itself comes home with destroy.
        kept = {key: before.get(key, default) for key, default in (("step", 0), ("log", ""))}
        return {**seen, "reason": status.reason or str(before.get("reason") or ""), **kept}
    return {**seen, "reason": run.ended or status.reason, "step": run.step, "log": log}


def _run(inputs: Values) -> RunStatus:
    """How far the run is, by its own figures where it lies."""
    return run_status(*read_figures(open_machine(inputs.get("runHost")), inputs["runPath"]))


def _refuse_failed(made: Made, status: JobStatus) -> Made:
    """A job that failed fails `up`; the codes that count as ended do not."""
    if status.state in ("failed", "lost"):
        raise InitFailedError(
            f"the job failed: {status.reason}. Its last lines:\n{made.outputs['log']}", made
        )
    return made


def _id(where: dict[str, Any]) -> str:
    return str(where.get("name") or where.get("folder") or where["kind"])
