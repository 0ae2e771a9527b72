"""LocalProcess: a job as a process of its own session on this machine."""

from collections.abc import Mapping

from infra.hosts.local import LocalHost
from infra.jobs.detached import DetachedJob, DetachedSpec, adopt, start_detached, where_of
from infra.provider.table import Call, Made, Values, require

GRACE_S = 60.0


class LocalProcessTable:
    """Idempotent by its folder: a create that is repeated after a crash adopts what runs there."""

    token = "sonarstack:index:LocalProcess"  # noqa: S105 a type, no secret
    replaces = frozenset({"folder", "argv", "variables", "cwd", "stamp", "trigger"})
    computed = ("where",)

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "folder", "argv", "cwd", "stamp")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`."""
        spec, host = spec_of(inputs), LocalHost()
        if adopt(host, spec) is None:
            start_detached(host, spec)
        return Made(id=spec.folder, outputs={"where": where_of(None, spec.folder)})

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`; a job that has ended is still there."""
        return outputs if DetachedJob(LocalHost(), id_).stored_spec() is not None else None

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`: nothing of it moves, its state is the TrainingRun's."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`."""
        return outputs

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`; stops the job if it still runs, its run stays."""
        job = DetachedJob(LocalHost(), id_)
        job.stop(GRACE_S)
        job.remove()


def spec_of(
    inputs: Values, *, late: Mapping[str, str] | None = None, secret: Mapping[str, str] | None = None
) -> DetachedSpec:
    """The job as the wire has it; `late` and `secret` variables are no part of what it is."""
    return DetachedSpec(
        folder=inputs["folder"],
        argv=tuple(str(word) for word in inputs["argv"]),
        variables={k: str(v) for k, v in (inputs.get("variables") or {}).items()},
        cwd=inputs["cwd"],
        stamp=inputs["stamp"],
        trigger=str(inputs.get("trigger") or ""),
        late=late or {},
        secret=secret or {},
    )
