"""NetworkVolume: where data and runs lie; it outlives pods, and pins them to its data centre."""

from collections import Counter
from collections.abc import Sequence

from infra.budget import HOURS_A_MONTH
from infra.errors import SettingsError
from infra.journal import Lease
from infra.provider.table import Call, Made, Values, require
from infra.runpod.account import open_account
from infra.runpod.errors import CancelledError, OfferError, RefusedError, RunpodError, ServiceError
from infra.runpod.offers import Offer, Wish, rank_offers
from infra.runpod.open_runs import refuse_to_remove
from infra.runpod.rent import Renter
from infra.runpod.storage_prices import VOLUME_USD_PER_GB_MONTH
from infra.runpod.wire import NetworkVolume


class NetworkVolumeTable:
    """Its place is chosen once, by the cheapest GPU of the wish that is in stock beside volumes.

    A wish that changes later never moves it: there is a run on it.
    """

    token = "sonarstack:index:NetworkVolume"  # noqa: S105 a type, no secret
    replaces = frozenset({"name"})
    computed = ("volumeId", "dataCenter")

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        problems = require(inputs, "name", "sizeGib", "stamp", "run", "gpus", "maxUsdPerH")
        size = inputs.get("sizeGib")
        if isinstance(size, int | float) and not 10 <= size <= 4096:
            problems["sizeGib"] = f"is {size:g}; Runpod's volumes have 10 to 4096"
        return problems

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; one of this name is taken up."""
        with open_account(call.cancelled) as renter:
            volume = renter.client.volume_named(inputs["name"])
            if volume is not None:
                renter.refuse_shared(volume.id)
                _claim(renter, inputs, volume)
            else:
                volume = _rent(renter, inputs)
            return Made(id=volume.id, outputs=_outputs(volume))

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`."""
        with open_account(call.cancelled) as renter:
            volume = renter.client.volume(id_)
            return None if volume is None else _outputs(volume)

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: it only grows, and never moves."""
        centers = [str(one).upper() for one in inputs.get("dataCenters") or []]
        if centers and outputs["dataCenter"].upper() not in centers:
            raise SettingsError(
                f"the run lies on a volume in {outputs['dataCenter']}, which is none of {', '.join(centers)}; "
                "add it to sonarstack:dataCenters, or bring the run home with `down` first"
            )
        with open_account(call.cancelled) as renter:
            volume = renter.client.volume(id_)
            if volume is None:
                raise RefusedError(
                    f"volume {id_} is gone; `pulumi refresh` forgets it, and `up` makes another"
                )
            if inputs["sizeGib"] < volume.size_gb:
                raise SettingsError(
                    f"sonarstack:volumeGib={inputs['sizeGib']} is below the {volume.size_gb} that the volume has; "
                    "Runpod's volumes only grow"
                )
            if inputs["sizeGib"] > volume.size_gb:
                volume = renter.client.grow_volume(id_, int(inputs["sizeGib"]))
            return _outputs(volume)

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`; what lies on it goes with it, after TrainingRun has brought the run home."""
        refuse_to_remove(id_, call.variables)
        with open_account(call.cancelled) as renter:
            renter.refuse_shared(id_)
            account = renter.client.address
            for lease in renter.journal.leases(account=account, stamp=str(inputs["stamp"])):
                if lease.kind != "volume" and lease.ended_at is None:
                    # Its pods are gone by now, but for one of which an `up` that was killed could not tell.
                    renter.give_back(lease.name, "left by a call that was cut short")
            renter.client.delete_volume(id_)
            for lease in renter.journal.leases(account=account):
                if lease.id == id_ and lease.ended_at is None:
                    renter.journal.change(lease, ended_at=renter.now(), end_reason="destroyed")
            # What lay on it is home or gone: whatever comes next is another run.
            renter.journal.close_run(renter.client.address, str(inputs["stamp"]), str(inputs["run"]))


def _make(renter: Renter, inputs: Values) -> NetworkVolume:
    wish = Wish(
        gpus=tuple(inputs["gpus"]),
        count=int(inputs.get("gpuCount") or 1),
        min_vram_gib=inputs.get("minVramGib"),
        cloud="secure",
        data_centers=tuple(inputs.get("dataCenters") or ()),
        max_usd_per_h=float(inputs["maxUsdPerH"]),
    )
    known = renter.client.data_centers()
    with_volumes = {one.id for one in known if one.volume_types}
    catalogue = renter.client.gpus(count=wish.count, cloud="SECURE", min_cuda=inputs.get("minCuda"))
    offers = rank_offers(wish, catalogue, volume_centers=with_volumes)
    refusal = ""
    for center in _places(offers):
        try:
            return renter.client.create_volume(
                name=inputs["name"], size_gb=int(inputs["sizeGib"]), data_center=center
            )
        except RefusedError as error:
            refusal = str(error)  # a data centre without volumes after all: the next one
    raise OfferError(refusal or "no data centre has both volumes and one of the GPUs; name other gpus")


def _places(offers: Sequence[Offer]) -> list[str]:
    """Data centres, best first: the cheapest GPU, then the most GPUs that would do, since the volume stays for good.

    Runpod's prices are the same in all its data centres, so that the second is what mostly decides.
    """
    cheapest: dict[str, float] = {}
    choice: Counter[str] = Counter()
    for offer in offers:
        if offer.data_center is not None:
            cheapest.setdefault(offer.data_center, offer.price_usd_per_h)
            choice[offer.data_center] += 1
    return sorted(cheapest, key=lambda center: (cheapest[center], -choice[center]))


def _rent(renter: Renter, inputs: Values) -> NetworkVolume:
    """The lease first: whatever dies then, `reap` and the receipt know whose the volume is."""
    unanswered = renter.journal.living(renter.client.address, str(inputs["name"]))
    lease = renter.journal.write(_lease(renter, inputs))
    if unanswered is not None and not unanswered.id:
        renter.journal.drop(unanswered)  # nothing came of it
    try:
        volume = _make(renter, inputs)
    except (ServiceError, CancelledError):
        raise  # nobody knows whether it was made: the lease stays
    except RunpodError:
        renter.journal.drop(lease)
        raise
    renter.journal.change(lease, id=volume.id)
    return volume


def _claim(renter: Renter, inputs: Values, volume: NetworkVolume) -> None:
    """One that is there gets the lease under which it was made, or one of its own."""
    known = renter.journal.living(renter.client.address, volume.name)
    if known is None or known.id not in ("", volume.id):
        known = renter.journal.write(_lease(renter, inputs))
    renter.journal.change(known, id=volume.id)


def _lease(renter: Renter, inputs: Values) -> Lease:
    """Storage has no end of its own."""
    return Lease(
        cloud="runpod",
        account=renter.client.address,
        kind="volume",
        name=str(inputs["name"]),
        stamp=str(inputs["stamp"]),
        run=str(inputs["run"]),
        rented_at=renter.now(),
        lease_until=None,
        price_usd_per_h=float(inputs["sizeGib"]) * VOLUME_USD_PER_GB_MONTH / HOURS_A_MONTH,
    )


def _outputs(volume: NetworkVolume) -> Values:
    return {"volumeId": volume.id, "dataCenter": volume.data_center}
