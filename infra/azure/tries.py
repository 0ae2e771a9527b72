"""How often a job was tried, and whether its last machine lives: by its notes, the journal, and Azure."""

from dataclasses import dataclass

from infra.azure.arm import Arm
from infra.azure.attempts import attempt_of, last_attempt
from infra.azure.kept import KeptParts
from infra.azure.names import RUNS, account_name, machine_name, part_id, storage_account_name
from infra.azure.owned import MachineState, machine_state, owned_machines
from infra.azure.places import Places
from infra.buckets.store import ObjectStore, open_store
from infra.errors import HostError
from infra.journal import Journal
from infra.vm.notes import Notes


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What of a job its machines' names and notes are made of."""

    stack: str
    stamp: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """The one that the next `up` is about."""

    attempt: int
    machine: MachineState | None
    """Where it lives already."""
    over: bool = False
    """Whether the job is: nothing is rented for it, whatever changes."""
    notes: tuple[str, ...] = ()


def find_try(
    arm: Arm,
    subscription_id: str,
    location: str,
    job: Job,
    kept: KeptParts | None,
) -> Try:
    """Ask all three; what cannot be read now rents nothing new.

    Raises:
        AzureError: Azure does not tell.
    """
    account = account_name(subscription_id, location)
    listed = [one.name for one in owned_machines(arm, subscription_id, None, job.stamp)]
    leases = Journal().leases(account=account, stamp=job.stamp)
    seen = {*listed, *(lease.name for lease in leases)}
    said: tuple[str, ...] = ()
    over: bool | None = False
    if kept is not None and kept.has(_storage(subscription_id, job)):
        try:
            notes = Notes(_runs(subscription_id, job), _prefix(subscription_id, location, job))
            seen |= {one for one in (notes.started_by(), *notes.interrupted()) if one}
            over = notes.outcome() is not None
        except HostError as error:
            over = None
            said = (
                f"what the last machine told cannot be read now ({error}); this `up` opens the storage to your address "
                "and rents nothing new, `up` once more goes on",
            )
    states = {name: machine_state(arm, _machine(subscription_id, job, name)) for name in _last(job, listed)}
    living = [name for name, state in states.items() if state is not None and state.lives]
    attempt = attempt_of(job.stamp, job.digest, living=living, seen=seen, over=over)
    machine = machine_name(job.stamp, job.digest, attempt)
    if attempt and not said and machine not in seen:
        said = (
            f"the machine of try {attempt} is not there, and the job is not done: try {attempt + 1} goes on from the "
            "newest checkpoint there is",
        )
    return Try(
        attempt=attempt,
        machine=states.get(machine) if machine in living else None,
        over=over is True,
        notes=said,
    )


def _last(job: Job, listed: list[str]) -> list[str]:
    """Of machines of this job the last, which alone can be working on it."""
    last = last_attempt(job.stamp, job.digest, listed)
    return [] if last is None else [machine_name(job.stamp, job.digest, last)]


def _machine(subscription_id: str, job: Job, name: str) -> str:
    return part_id(subscription_id, job.stamp, "Microsoft.Compute/virtualMachines", name)


def _storage(subscription_id: str, job: Job) -> str:
    name = storage_account_name(subscription_id, job.stamp)
    return part_id(subscription_id, job.stamp, "Microsoft.Storage/storageAccounts", name)


def _runs(subscription_id: str, job: Job) -> ObjectStore:
    return open_store({"bucket": f"az://{RUNS}", "account": storage_account_name(subscription_id, job.stamp)})


def _prefix(subscription_id: str, location: str, job: Job) -> str:
    """Of the notes; they are the same for every run and try of a job."""
    places = Places(
        subscription_id=subscription_id, location=location, stack=job.stack, stamp=job.stamp, run_name="run",
        job_digest=job.digest, data_digest="",
    )  # fmt: skip
    return places.notes
