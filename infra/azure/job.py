"""A job on an Azure machine: known by the notes that the machine keeps beside the run, and by what Azure says of it."""

from collections.abc import Mapping
from typing import Any

from infra.azure.arm import Arm
from infra.azure.errors import AzureError
from infra.azure.names import part_id_in
from infra.azure.owned import COMPUTE, MachineState, machine_state
from infra.azure.reaper import end_machine
from infra.buckets.store import ObjectStore, open_store
from infra.jobs.job import JobStatus
from infra.vm.notes import Notes
from infra.vm.stopping import POLL_S, STOP, stop

LOG = "job.log"
"""The container's output, which the machine appends to beside its notes."""
AGAIN = "`up` once more goes on from its newest checkpoint, on another machine"


class VmJob:
    """See `infra.jobs.job.Job`."""

    def __init__(
        self,
        where: Mapping[str, Any],
        *,
        store: ObjectStore | None = None,
        arm: Arm | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        """`where` is an output: subscription, group, location, machine, bucket, account, notes (prefix)."""
        self._machine, self._poll_s = str(where["machine"]), poll_s
        self._id = part_id_in(
            str(where["subscription"]),
            str(where["group"]),
            "Microsoft.Compute/virtualMachines",
            self._machine,
        )
        self._notes = Notes(store or open_store(where), str(where["notes"]))
        self._arm = arm or Arm()

    def status(self) -> JobStatus:
        """See `Job.status`."""
        outcome = self._notes.outcome()
        if outcome is not None:
            return outcome
        state = self._state()
        if state is None or state.provisioning == "Deleting":
            return self._notes.outcome_or_lost(self._why_gone())
        if state.off:
            return self._notes.outcome_or_lost(
                f"its machine was switched off before it told how it went; {AGAIN}"
            )
        if state.stillborn:
            return JobStatus(state="lost", reason=f"Azure could not start its machine; {AGAIN}")
        if self._notes.started_by() == self._machine:
            return JobStatus(state="running")
        return JobStatus(state="waiting", reason=f"{self._machine} starts")

    def read_log(self, offset: int = 0) -> bytes:
        """See `Job.read_log`; as far as the machine has sent it by now."""
        return self._notes.text(LOG, offset)

    def stop(self, grace_s: float = 60.0) -> JobStatus:
        """See `Job.stop`: asks the machine by Azure's run command, then ends it."""
        return stop(self, self._machine, grace_s=grace_s, poll_s=self._poll_s, console="Azure's portal")

    def remove(self) -> None:
        """See `Job.remove`: the machine's notes."""
        self._notes.remove()

    def ask(self) -> None:
        """See `Stoppable.ask`: by the agent on the machine."""
        state = self._state()
        if state is None or not state.lives:
            return
        try:
            self._arm.post(
                f"{self._id}/runCommand",
                COMPUTE,
                "the machine to stop its job",
                {"commandId": "RunShellScript", "script": [STOP]},
            )
        except AzureError as error:
            # It starts still, or goes already, or runs another command: its end comes all the same.
            if error.status not in (404, 409):
                raise

    def end(self) -> None:
        """See `Stoppable.end`."""
        end_machine(self._arm, self._id)

    def lives(self) -> bool:
        """See `Stoppable.lives`: until Azure lists it no more, its disk may bill."""
        return self._state() is not None

    def _state(self) -> MachineState | None:
        return machine_state(self._arm, self._id)

    def _why_gone(self) -> str:
        if self._machine in self._notes.interrupted():
            return f"Azure took its machine back; {AGAIN}"
        return f"its machine is gone (lease, idle GPU, taken back, or by hand) and told no end; {AGAIN}"
