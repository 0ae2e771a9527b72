"""Rents a pod, or takes up the one that is there: whatever crashed before, there is never a second.

The order is what keeps that: look for our own name; write the lease; ask; write down what came.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.budget import HOURS_A_MONTH
from infra.hosts.keys import ensure_key
from infra.journal import Journal, Lease
from infra.next_lease import SHORTEST_H, next_hours
from infra.runpod.client import RunpodClient
from infra.runpod.errors import (
    CancelledError,
    NoCapacityError,
    PoolRefusedError,
    RateLimitError,
    RefusedError,
    RunpodError,
    ServiceError,
)
from infra.runpod.offers import Offer, check_cost, rank_offers
from infra.runpod.owner import GONE, is_ours, refuse_foreign
from infra.runpod.spec import PodSpec, spec_of, told_lease
from infra.runpod.storage_prices import DISK_USD_PER_GB_MONTH
from infra.runpod.wire import Pod

OFFERS_TRIED = 8
"""Of the cheapest; more of them would be dear in requests and rarely better."""
LOOKS, LOOK_PAUSE_S = 4, 3.0
"""A pod whose answer was lost may come into the list late (an assumption)."""
UNSURE_FOR = timedelta(minutes=10)
"""A lease so young whose pod nobody has seen may still be on its way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rented:
    """A pod of ours and its lease."""

    pod: Pod
    lease: Lease
    adopted: bool = False
    """It was there already."""


class Renter:
    """Rents for one account of this machine."""

    def __init__(
        self,
        client: RunpodClient,
        journal: Journal,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`sleep` may raise, to react to a cancel."""
        self.client, self.journal = client, journal
        self.sleep, self.now = sleep, now

    def adopt_or_rent(self, spec: PodSpec) -> Rented:
        """The pod of this name; rents it where there is none.

        Raises:
            OfferError: nothing in the catalogue is as wished; nothing was asked for.
            NoCapacityError, BalanceError, RefusedError: nothing was rented, and what another machine rented left alone.
            ServiceError: nobody knows; the lease stays in the journal, and another call takes up what there is.
        """
        return self.adopt(spec) or self.rent(spec)

    def adopt(self, spec: PodSpec) -> Rented | None:
        """The pod of this name if it lives; one that stopped or broke is given back first.

        Raises:
            RefusedError: another machine rented it.
        """
        lease = self.journal.living(self.client.address, spec.name)
        found = self._look(spec.name, lease)
        refuse_foreign(found)
        alive: list[Pod] = []
        for pod in found:
            if pod.status in ("EXITED", "ERROR"):
                self._end(pod, "it had stopped")
            elif alive:
                self._end(pod, "a second of its name")
            else:
                alive.append(pod)
        if alive:
            return Rented(pod=alive[0], lease=self.lease_of(alive[0], lease, spec), adopted=True)
        lease = self.journal.living(self.client.address, spec.name)
        if lease is not None:
            self.settle(lease, "it was gone when somebody looked")
        return None

    def named(self, name: str, lease: Lease | None) -> list[Pod]:
        """The living pods of a name: first the one that its lease speaks of, where the job is, then the oldest.

        A create whose answer was lost may be asked for again, and make its pod all the same, older than the second.
        """
        found = [pod for pod in self.client.pods_named(name) if pod.status != GONE]
        if lease is not None and lease.id and all(pod.id != lease.id for pod in found):
            # A list may lag behind (an assumption): nobody is taken for gone who is not when asked for by id.
            unlisted = self.client.pod(lease.id)
            found += [unlisted] if unlisted is not None else []
        return sorted(found, key=lambda pod: (lease is None or pod.id != lease.id, pod.created_at))

    def pod_named(self, name: str) -> Pod | None:
        """The first of `named`."""
        return next(iter(self.named(name, self.journal.living(self.client.address, name))), None)

    def end_others(self, lease: Lease) -> None:
        """End what a lost answer left beside the pod of a lease: it bills, and no job will ever run on it."""
        for pod in self.named(lease.name, lease):
            if pod.id != lease.id and is_ours(pod):
                self._end(pod, "a second of its name")

    def rent(self, spec: PodSpec) -> Rented:
        """The cheapest offer that can be had, in turn. See `adopt_or_rent`."""
        hours = self._hours(spec)
        catalogue = self.client.gpus(count=spec.gpu_count, cloud=spec.cloud.upper(), min_cuda=spec.min_cuda)
        centers = spec.data_centers if spec.volume_id is not None else None
        offers = rank_offers(spec.wish(), catalogue, volume_centers=centers)[:OFFERS_TRIED]
        refusals: list[str] = []
        kinds = set()
        for offer in offers:
            try:
                return self._ask(spec, offer, hours)
            except (NoCapacityError, PoolRefusedError, RefusedError) as error:
                kinds.add(type(error))
                refusals.append(str(error))
        raise _none_left(offers, refusals, only_rules=kinds == {RefusedError})

    def give_back(self, name: str, reason: str, *, foreign: bool = False) -> None:
        """End every pod of a name, and settle its lease; fine if none is there.

        Args:
            foreign: also what another machine rented.

        Raises:
            RefusedError: only what another machine rented is there.
        """
        lease = self.journal.living(self.client.address, name)
        there = self._look(name, lease)
        found = there if foreign else [pod for pod in there if is_ours(pod)]
        if not found:
            refuse_foreign(there)
        for pod in found:
            self.client.delete_pod(pod.id)
        if lease is None:
            return
        if lease.id and all(pod.id != lease.id for pod in there):
            # A list may lag behind (an assumption): only an end that was asked for is written down.
            self.client.delete_pod(lease.id)
        if found and not lease.id:
            # Its answer was lost, and it billed all the same.
            lease = self.journal.change(lease, id=found[0].id, price_usd_per_h=found[0].cost_usd_per_h)
        if lease.id:
            self.journal.change(lease, ended_at=self.now(), end_reason=reason)
        else:
            self.journal.drop(lease)

    def refuse_shared(self, volume_id: str) -> None:
        """Before a volume is taken up or removed.

        Raises:
            RefusedError: a pod of another machine is on it.
        """
        refuse_foreign(pod for pod in self.client.pods() if pod.volume_id == volume_id)

    def settle(self, lease: Lease, reason: str) -> Lease:
        """Write down that a pod ended while nobody looked: by the provider's bill, else as late as its lease allows."""
        if not lease.id:
            self.journal.drop(lease)
            return lease
        now, billed = self.now(), sum(bill.total_usd for bill in self.client.pod_bills(lease.id))
        ended = min(now, lease.lease_until) if lease.lease_until is not None else now
        if billed and lease.price_usd_per_h:
            ended = min(ended, lease.rented_at + timedelta(hours=billed / lease.price_usd_per_h))
        return self.journal.change(lease, ended_at=ended, end_reason=reason, billed_usd=billed or None)

    def _hours(self, spec: PodSpec) -> float:
        """Of the next lease: should the program hang, only the lease keeps the run within its dollars.

        Raises:
            RefusedError: the run has spent too many to begin with another machine.
        """
        spent = self.journal.spent_usd(self.client.address, spec.stamp, spec.run, self.now())
        rate = spec.max_usd_per_h + spec.disk_gib * DISK_USD_PER_GB_MONTH / HOURS_A_MONTH
        hours = next_hours(spec.max_hours, limit_usd=spec.machines_usd, spent_usd=spent, usd_per_h=rate)
        if not hours:
            raise RefusedError(
                f"the machines of this run have cost ${spent:.2f} of the ${spec.machines_usd or 0:.2f} that "
                f"sonarstack:maxUsd leaves for them; the rest is less than {60 * SHORTEST_H:g} minutes at ${rate:.2f} "
                "an hour, and nothing was rented: raise maxUsd, or bring the run home with `down`"
            )
        return hours

    def _ask(self, spec: PodSpec, offer: Offer, hours: float) -> Rented:
        now = self.now()
        until = now + timedelta(hours=hours)
        lease = self.journal.write(
            Lease(
                cloud="runpod",
                account=self.client.address,
                kind="pod",
                name=spec.name,
                stamp=spec.stamp,
                run=spec.run,
                rented_at=now,
                lease_until=until,
                price_usd_per_h=spec.max_usd_per_h,
                spec=spec.as_dict(),
            )
        )
        try:
            pod = self.client.create_pod(spec.request(offer, until, ensure_key(spec.stamp)))
        except (ServiceError, CancelledError) as error:
            if isinstance(error, RateLimitError):
                self.journal.drop(lease)
            raise  # nobody knows whether it was rented: the lease stays
        except RunpodError:
            self.journal.drop(lease)
            raise
        lease = self.journal.change(
            lease, id=pod.id, price_usd_per_h=pod.cost_usd_per_h or offer.price_usd_per_h
        )
        try:
            check_cost(spec.max_usd_per_h, pod.cost_usd_per_h)
        except RefusedError:
            self.client.delete_pod(pod.id)
            self.journal.change(lease, ended_at=self.now(), end_reason="dearer than the catalogue said")
            raise
        return Rented(pod=pod, lease=lease)

    def _look(self, name: str, lease: Lease | None) -> list[Pod]:
        """As `named`; patiently where one may still be on its way."""
        unsure = lease is not None and not lease.id and self.now() - lease.rented_at < UNSURE_FOR
        for look in range(LOOKS if unsure else 1):
            if look:
                self.sleep(LOOK_PAUSE_S)
            found = self.named(name, lease)
            if found:
                return found
        return []

    def _end(self, pod: Pod, reason: str) -> None:
        self.client.delete_pod(pod.id)
        for lease in self.journal.leases(account=self.client.address):
            if lease.id == pod.id and lease.ended_at is None:
                self.journal.change(lease, ended_at=self.now(), end_reason=reason)

    def lease_of(self, pod: Pod, lease: Lease | None, spec: PodSpec | None = None) -> Lease:
        """The journal's, completed; or a new one from what the pod was told, where the journal is another machine's.

        Raises:
            RefusedError: its key is another machine's too, or it is none of this project's.
        """
        if lease is None or lease.id != pod.id:
            refuse_foreign([pod])
        if lease is not None and lease.id in ("", pod.id):
            return self.journal.change(
                lease, id=pod.id, price_usd_per_h=pod.cost_usd_per_h or lease.price_usd_per_h
            )
        told = spec_of(pod.env) or spec
        if told is None:
            raise RefusedError(
                f"pod {pod.id} ({pod.name}) was not rented by this project; it is left as it is"
            )
        return self.journal.write(
            Lease(
                cloud="runpod",
                account=self.client.address,
                kind="pod",
                name=pod.name,
                stamp=told.stamp,
                run=told.run,
                rented_at=pod.created_at,
                lease_until=told_lease(pod.env),
                price_usd_per_h=pod.cost_usd_per_h,
                id=pod.id,
                spec=told.as_dict(),
            )
        )


def _none_left(
    offers: Sequence[Offer], refusals: Sequence[str], *, only_rules: bool
) -> NoCapacityError | RefusedError:
    """When every candidate is refused in the same words, the request is at fault (contract, createPod)."""
    tried = ", ".join(f"{o.gpu_name}{f' in {o.data_center}' if o.data_center else ''}" for o in offers)
    if only_rules and len(set(refusals)) == 1:
        return RefusedError(refusals[0])
    return NoCapacityError(
        f"none of the {len(offers)} offers within your ceiling could be had ({tried}); the last answer: {refusals[-1]}"
    )
