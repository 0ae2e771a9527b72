"""Pod: a rented machine under a name of ours. It returns as soon as something is rented; PodReady waits."""

import math
from typing import Any

from infra.provider.discard import DISCARD
from infra.provider.table import Call, InitFailedError, Made, Values, require
from infra.runpod.account import open_account
from infra.runpod.aftermath import how_it_ended
from infra.runpod.errors import RefusedError, RunpodError
from infra.runpod.offers import check_cost
from infra.runpod.open_runs import refuse_to_end
from infra.runpod.owner import is_ours
from infra.runpod.rent import Rented, Renter
from infra.runpod.spec import SHAPE, PodSpec, camel, spec_from_inputs, spec_inputs, spec_of

ENDED, GONE = "ENDED", "GONE"
"""Ended as planned: not rented again. Gone: nobody knows yet; the next `up` finds out."""
CLOCKS_DIFFER_H = 1 / 60
"""Its lease may have been fixed by another machine's clock."""


class PodTable:
    """Its id is the pod's unique name, known before anything is rented; Runpod's own id may change under it."""

    token = "sonarstack:index:Pod"  # noqa: S105 a type, no secret
    replaces = frozenset(camel(field) for field in SHAPE)
    computed = ("name", "podId", "gpu", "dataCenter", "priceUsdPerH", "leaseUntil", "status", "simulated")

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        problems = require(inputs, "stamp", "run", "gpus", "maxUsdPerH", "maxHours", "image")
        for name in ("maxUsdPerH", "maxHours", "gpuCount", "diskGib"):
            value = inputs.get(name)
            if isinstance(value, int | float) and value <= 0:
                problems[name] = f"is {value}; it must be above 0"
        if inputs.get("cloud") == "community" and inputs.get("volumeId"):
            problems["cloud"] = (
                "is community, which has no network volumes; leave volumeId out, or take secure"
            )
        return problems

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; a pod of this name that is there already is taken up, never a second one rented."""
        spec = spec_from_inputs(inputs)
        with open_account(call.cancelled) as renter:
            rented = renter.adopt_or_rent(spec)
            made = Made(id=spec.name, outputs=_outputs(renter, rented))
            try:
                _check_terms(renter, spec, rented)
            except RefusedError as error:
                # It lives: the state must know of it, so that `down` ends it.
                raise InitFailedError(str(error), made) from error
            return made

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`; one that is gone is still known, for its run may be on the volume."""
        with open_account(call.cancelled) as renter:
            pod = renter.pod_named(id_)
            if pod is None:
                return {
                    **outputs,
                    "status": outputs.get("status") if outputs.get("status") == ENDED else GONE,
                }
            lease = renter.journal.living(renter.client.address, id_)
            known = lease is not None and lease.id == pod.id
            # Of another machine's pod that our state tells of there is no lease here, and none is made.
            if pod.id == outputs.get("podId") and (known or not is_ours(pod)):
                return {**outputs, "status": pod.status, "priceUsdPerH": pod.cost_usd_per_h}
            # Another one, rented by an `up` that was killed before it could tell: its lease is another too.
            return {
                **outputs,
                **_outputs(renter, Rented(pod=pod, lease=renter.lease_of(pod, lease))),
            }

    def imported(self, call: Call, id_: str) -> tuple[str, Values, Values] | None:
        """A pod of ours that no state knows, by its name or Runpod's id, with the inputs it was rented with."""
        with open_account(call.cancelled) as renter:
            pod = renter.pod_named(id_) or renter.client.pod(id_)
            told = spec_of(pod.env) if pod is not None else None
            if pod is None or told is None:
                return None
            lease = renter.lease_of(pod, renter.journal.living(renter.client.address, pod.name))
            return told.name, spec_inputs(told), _outputs(renter, Rented(pod=pod, lease=lease))

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`: whether it vanished, stopped, broke or became another one since."""
        if outputs.get("status") == ENDED:
            return []
        try:
            with open_account(call.cancelled) as renter:
                pod = renter.pod_named(id_)
        except RunpodError:
            # A preview must not fail because the service is away; up, refresh and destroy will say so.
            return []
        if pod is None or pod.status in ("EXITED", "ERROR"):
            return ["status"]
        # Rented by an `up` that was killed before it could tell: what waits for it must wait anew.
        return [] if pod.id == outputs.get("podId") else ["podId"]

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: a living pod is never edited, which would reset it; a lost one is rented again.

        One that ended as planned is rented again only for another job.
        """
        spec = spec_from_inputs(inputs)
        with open_account(call.cancelled) as renter:
            rented = renter.adopt(spec)
            if rented is not None:
                _check_terms(renter, spec, rented)
            elif inputs.get("job") == outputs.get("job") and (
                outputs.get("status") == ENDED
                or how_it_ended(renter, spec, outputs.get("dataCenter")) is not None
            ):
                return {**_known(outputs), "status": ENDED, "priceUsdPerH": 0}
            else:
                rented = renter.rent(spec)
            return _outputs(renter, rented)

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`; every pod of this name, and proven gone.

        What another machine rented may be training: only whoever gives up the run ends it from here.
        """
        refuse_to_end(id_, call.variables)
        every = call.variables.get(DISCARD) == "1"
        with open_account(call.cancelled) as renter:
            renter.give_back(id_, "destroyed", foreign=every)
            left = [pod for pod in renter.client.pods_named(id_) if every or is_ours(pod)]
            if left:
                raise RunpodError(
                    f"Runpod still lists pod {left[0].id} after its end was asked for; run it again"
                )


def _check_terms(renter: Renter, spec: PodSpec, rented: Rented) -> None:
    """What was rented before, against the price and the hours that are promised now.

    Raises:
        RefusedError: it is dearer, or may live longer.
    """
    if not rented.adopted:
        return
    pod, until = rented.pod, rented.lease.lease_until
    check_cost(spec.max_usd_per_h, pod.cost_usd_per_h)
    hours = (until - renter.now()).total_seconds() / 3600 if until is not None else 0.0
    if until is not None and hours > spec.max_hours + CLOCKS_DIFFER_H:
        raise RefusedError(
            f"pod {pod.id}, rented by an earlier `up`, may live until {until:%Y-%m-%d %H:%M} UTC, longer than the "
            f"sonarstack:maxHours={spec.max_hours:g} of now; a lease is fixed when it is rented: set maxHours to "
            f"{math.ceil(hours * 10) / 10:g} to keep it, or `down` ends it"
        )


def _outputs(renter: Renter, rented: Rented) -> Values:
    pod, lease = rented.pod, rented.lease
    return {
        "name": pod.name,
        "podId": pod.id,
        "gpu": pod.gpu_id or "",
        "dataCenter": pod.data_center or "",
        "priceUsdPerH": lease.price_usd_per_h,
        "leaseUntil": lease.lease_until.isoformat() if lease.lease_until else "",
        "status": pod.status,
        "simulated": renter.client.simulated,
    }


def _known(outputs: Values) -> dict[str, Any]:
    return {key: outputs[key] for key in PodTable.computed if key in outputs}
