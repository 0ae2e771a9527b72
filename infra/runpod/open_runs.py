"""Runs on pods and volumes that are not home yet, written down before their job is started.

The engine knows of a job only once its start has come back. One that dies before leaves a job that trains and a state
that knows of nothing to bring home: what stands in the journal then protects pod and volume from `destroy`.
"""

from collections.abc import Mapping
from typing import Any

from infra.errors import HostError, HostGoneError
from infra.journal import Journal, Lease
from infra.provider.discard import DISCARD
from infra.runpod.account import account_address
from infra.runpod.errors import RunpodError
from infra.runpod.host import pod_host, pod_is_gone
from infra.runs.manifest import RECORD

WAY_OUT = (
    "it was never brought home, and the stack knows of no job that could (its `up` was killed): `up` with the same "
    f"settings takes it up, then destroy again. {DISCARD}=1 (or `stacks down --discard`) goes on without the run"
)


def expect_run(pod: str, path: str) -> None:
    """A job is about to be started there that writes the run at `path`; no pod has no lease."""
    journal = Journal() if pod else None
    lease = journal.newest(account_address(), pod) if journal else None
    if journal and lease:
        journal.change(lease, open_run=path)


def is_expected(pod: str, path: str) -> bool:
    """Whether such a job was started before, on this pod or another one on its volume."""
    return bool(pod) and any(one.open_run == path for one in _of_pod(Journal(), pod))


def run_is_home(pod: str, path: str) -> None:
    """It is home, or given up."""
    if not pod:
        return
    journal = Journal()
    for one in _of_pod(journal, pod):
        if one.open_run == path:
            journal.change(one, open_run="")


def refuse_to_end(pod: str, variables: Mapping[str, str]) -> None:
    """Before a pod is destroyed: a run on its disk would go with it, one on its volume would be forgotten.

    Args:
        pod: its name; empty is none.
        variables: of this moment; to lose a run is never a setting.

    Raises:
        RunpodError: there is one, or nobody can tell.
    """
    if not pod:
        return
    journal = Journal()
    for one in _of_pod(journal, pod):
        if not one.open_run or variables.get(DISCARD) == "1":
            continue
        if _begun(pod, one):
            raise RunpodError(f"a run lies in {one.open_run}; {WAY_OUT}")
        journal.change(one, open_run="")


def refuse_to_remove(volume_id: str, variables: Mapping[str, str]) -> None:
    """Before a volume is removed. See `refuse_to_end`."""
    for one in _of_volume(Journal(), volume_id):
        if one.open_run and variables.get(DISCARD) != "1":
            raise RunpodError(f"a run lies on volume {volume_id} in {one.open_run}; {WAY_OUT}")


def _begun(pod: str, lease: Lease) -> bool:
    try:
        host = pod_host({"pod": pod, "identity": lease.stamp})
        return host.read(f"{lease.open_run}/{RECORD}") is not None
    except HostError as error:
        if isinstance(error, HostGoneError) or pod_is_gone(pod):
            # With its disk, unless there is a volume, which cannot be looked at from here.
            return bool(lease.spec.get("volume_id"))
        raise RunpodError(
            f"whether a run lies in {lease.open_run} cannot be seen ({error}); {WAY_OUT}"
        ) from error


def pod_of(machine: Mapping[str, Any] | None) -> str:
    """The pod's name; empty for any other machine."""
    return str((machine or {}).get("pod") or "")


def _of_pod(journal: Journal, pod: str) -> list[Lease]:
    """Leases that may tell of a run which is still within its reach."""
    newest = journal.newest(account_address(), pod)
    if newest is None:
        return []
    volume_id = newest.spec.get("volume_id")
    return _of_volume(journal, str(volume_id)) if volume_id else [newest]


def _of_volume(journal: Journal, volume_id: str) -> list[Lease]:
    return [
        one for one in journal.leases(account=account_address()) if one.spec.get("volume_id") == volume_id
    ]
