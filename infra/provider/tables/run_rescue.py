"""RunRescue: before a bucket goes or is left, the run in it comes home, whether or not the engine knew of its job.

An `up` that was killed while it waited has no TrainingRun in its state, and nobody would bring that run home. This
stands in the state before a machine is asked for, and goes after it.
"""

from pathlib import Path

from infra.buckets.folder import is_here
from infra.buckets.host import BucketHost
from infra.errors import InfraError
from infra.machines import open_machine, open_run
from infra.provider.discard import refuse_to_lose
from infra.provider.table import Call, Made, Values, require
from infra.runs.open_home import bring_home_open


class RunRescueTable:
    """Nothing but its end does anything."""

    token = "sonarstack:index:RunRescue"  # noqa: S105 a type, no secret
    replaces: frozenset[str] = frozenset()
    computed = ()

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "runHost", "runPath", "home")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`."""
        return Made(id=str(inputs["runPath"]), outputs={})

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`."""
        return outputs

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`."""
        return {}

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`: bring home what is not at home as the bucket has it; or stop the destroy."""
        path, home = str(inputs["runPath"]), Path(inputs["home"])
        try:
            bucket = open_machine(inputs["runHost"])
            assert isinstance(bucket, BucketHost)
            if is_here(bucket.store, path, home):
                return
            call.say("bringing the run home")
            with open_run(inputs["runHost"], path, home, call.cancelled.is_set) as (host, there):
                # Nobody saw how its job ended: the mirror's checksums have proven what came, and that is enough.
                bring_home_open(host, there, home, crashed=True, cancelled=call.cancelled.is_set)
        except InfraError as error:
            refuse_to_lose(call, error)
