"""PodReady: a pod that can be worked on; a bad host is given back and another one taken."""

from infra.errors import JobError
from infra.journal import Lease
from infra.provider.table import Call, Made, Values, require
from infra.runpod.account import open_account
from infra.runpod.errors import BadHostError, RunpodError
from infra.runpod.host import where_of_pod
from infra.runpod.ready import wait_ready
from infra.runpod.rent import Renter
from infra.runpod.spec import PodSpec

HOSTS_TRIED = 3
READY_MINUTES = 20.0
"""An image of 10 GB is pulled within it on most hosts (dstack waits 20 minutes, cloud facts 1.3)."""


class PodReadyTable:
    """Waits, bounded; its id is the pod's name."""

    token = "sonarstack:index:PodReady"  # noqa: S105 a type, no secret
    replaces = frozenset({"pod"})
    computed = (
        "host", "readyPodId", "address", "hostKey", "gpus", "keyAccepted", "priceUsdPerH", "leaseUntil",
    )  # fmt: skip

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "pod", "podId")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`."""
        return Made(id=str(inputs["pod"]), outputs=self._wait(call, inputs))

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`: how its pod is now is the Pod's to tell."""
        return outputs

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: waits again where the pod is another one under its name."""
        with open_account(call.cancelled) as renter:
            ended = renter.journal.living(renter.client.address, id_) is None
        return outputs if ended else self._wait(call, inputs)

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`: nothing of its own is left."""

    def _wait(self, call: Call, inputs: Values) -> Values:
        minutes = float(inputs.get("readyMinutes") or READY_MINUTES)
        timeout_s = call.timeout_s or 60 * minutes
        with open_account(call.cancelled) as renter:
            lease = _lease(renter, str(inputs["pod"]))
            bad: list[str] = []
            spec = PodSpec.read(lease.spec)
            while True:
                try:
                    ready = wait_ready(
                        renter.client,
                        lease,
                        gpus=spec.gpu_count,
                        timeout_s=timeout_s,
                        sleep=renter.sleep,
                        say=call.say,
                    )
                    break
                except BadHostError as error:
                    bad.append(str(error))
                    call.say(f"{error}; it is given back")
                    renter.give_back(lease.name, str(error))
                if len(bad) == HOSTS_TRIED:
                    raise JobError(
                        f"{HOSTS_TRIED} hosts in a row were bad and were given back, nothing bills: {'; '.join(bad)}. "
                        "Run `up` again later, or name other gpus or dataCenters"
                    )
                lease = renter.rent(spec).lease
            # By now a create whose answer was lost has come to what it comes to.
            renter.end_others(lease)
            renter.journal.change(lease, address=ready.address, host_key=ready.host_key)
            return {
                "host": where_of_pod(spec, inputs.get("dataCenter")),
                "readyPodId": ready.pod_id,
                "address": ready.address,
                "hostKey": ready.host_key,
                "gpus": ready.gpus,
                "keyAccepted": ready.key_accepted,
                # Of this host, which may be another one than the first.
                "priceUsdPerH": lease.price_usd_per_h,
                "leaseUntil": lease.lease_until.isoformat() if lease.lease_until else "",
            }


def _lease(renter: Renter, name: str) -> Lease:
    """The pod's lease, also where another machine rented it."""
    lease = renter.journal.living(renter.client.address, name)
    if lease is not None and lease.id:
        return lease
    pod = renter.pod_named(name)
    if pod is None:
        raise RunpodError(f"pod {name} is gone before it was ready; run `up` again")
    return renter.lease_of(pod, lease)
