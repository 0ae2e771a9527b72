"""A pod as a host, found by its name: its address changes with every start, its name never does."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from infra.errors import HostError, HostGoneError
from infra.hosts.keys import key_path
from infra.hosts.ssh import SshHost
from infra.journal import Journal, Lease
from infra.runpod.account import account_address, open_account
from infra.runpod.owner import is_ours, whose
from infra.runpod.reader import volume_reader
from infra.runpod.ready import read_said
from infra.runpod.rent import Renter
from infra.runpod.spec import PodSpec, camel, spec_from_inputs
from infra.runpod.wire import Pod


def where_of_pod(spec: PodSpec, center: str | None) -> dict[str, Any]:
    """What `pod_host` and `pod_remains` take: the same for every pod that is rented under this name."""
    where: dict[str, Any] = {"pod": spec.name, "identity": spec.stamp}
    if spec.volume_id is None or not center:
        return where
    kept = ("stamp", "run", "gpus", "volume_id", "workspace", "image", "own_image", "registry_id", "disk_gib")
    told = {camel(key): value for key, value in spec.as_dict().items() if key in kept and value is not None}
    return {**where, "remains": {**told, "gpus": list(spec.gpus), "dataCenter": center}}


def pod_host(where: Mapping[str, Any]) -> SshHost:
    """The pod that `where_of_pod` tells of.

    Raises:
        HostGoneError: it is no more.
        HostError: it has no SSH, or not yet.
    """
    name = str(where["pod"])
    journal, account = Journal(), account_address()
    lease = journal.newest(account, name)
    if lease is not None and lease.ended_at is not None:
        raise HostGoneError(f"pod {name} ended: {lease.end_reason}")
    if lease is None or not lease.address:
        with open_account() as renter:
            lease = _ask(renter, name, lease)
    return SshHost(
        lease.address,
        host_key=lease.host_key,
        identity=str(key_path(str(where["identity"]))),
        identity_only=True,
    )


@contextmanager
def pod_remains(where: Mapping[str, Any], cancelled: threading.Event | None = None) -> Iterator[SshHost]:
    """What a pod left on its volume, as a host with the same paths; the pod itself is ended first, if it is not gone.

    Raises:
        HostGoneError: it left nothing that could be read.
        RunpodError: it could not be read now.
    """
    left = dict(where.get("remains") or {})
    if not left:
        raise HostGoneError(f"pod {where['pod']} is gone, and its disk with it: it had no network volume")
    center = str(left.pop("dataCenter"))
    # Neither ceiling nor hours matter for reading.
    spec = spec_from_inputs({**left, "maxUsdPerH": 1.0, "maxHours": 1.0})
    with open_account(cancelled) as renter:
        renter.give_back(str(where["pod"]), "it could not be reached, and its run was wanted")
        with volume_reader(renter, spec, center) as host:
            yield host


def pod_is_gone(name: str) -> bool:
    """Whether the provider has no such pod any more; its lease is settled then. One that moved is found again."""
    with open_account() as renter:
        pod = renter.pod_named(name)
        lease = renter.journal.living(renter.client.address, name)
        if pod is not None:
            if lease is not None and pod.ssh is not None and lease.address != _address(pod):
                _ask(renter, name, lease)  # a start of its container gave it another port and host key
            return False
        if lease is not None:
            renter.settle(lease, "it was gone when somebody looked")
        return True


def _ask(renter: Renter, name: str, lease: Lease | None) -> Lease:
    """Address and host key from the provider itself, for another machine than the one that rented; it needs the key."""
    pod = renter.pod_named(name)
    if pod is None:
        raise HostGoneError(f"pod {name} is gone")
    if not is_ours(pod):
        raise HostError(whose(pod))
    said = read_said(renter.client, pod.id)
    if pod.ssh is None or said.host_key is None:
        raise HostError(f"pod {name} is {pod.status} and cannot be reached by SSH yet; try again in a minute")
    found = renter.lease_of(pod, lease)
    return renter.journal.change(found, address=_address(pod), host_key=said.host_key)


def _address(pod: Pod) -> str:
    assert pod.ssh is not None
    host, port, user = pod.ssh
    return f"ssh://{user}@{host}:{port}"
