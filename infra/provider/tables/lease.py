"""Lease: until when the machines of a group may live, fixed before any of them is asked for, and written down here."""

from datetime import UTC, datetime

from infra.journal import Journal, Lease
from infra.naming import lease_until
from infra.provider.table import Call, Made, Values, require

FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class LeaseTable:
    """Where a cloud's own Pulumi provider rents, this is our word on how long. A longer one is a new decision."""

    token = "sonarstack:index:Lease"  # noqa: S105 a type, no secret
    replaces = frozenset({"cloud", "account", "name", "stamp", "run"})
    computed = ("leaseUntil",)

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        problems = require(inputs, "cloud", "account", "name", "stamp", "run", "maxHours", "priceUsdPerH")
        hours = inputs.get("maxHours")
        if isinstance(hours, int | float) and not 0 < hours <= 720:
            problems["maxHours"] = f"is {hours:g}; allowed are more than 0 and up to 720"
        return problems

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; one that still runs under this name, of an `up` that was killed, is taken up."""
        journal = Journal()
        now = datetime.now(UTC).replace(microsecond=0)
        lease = journal.living(str(inputs["account"]), str(inputs["name"]))
        if lease is not None and lease.lease_until is not None and lease.lease_until <= now:
            # Taken up, it would rent a machine whose end is past.
            journal.change(lease, ended_at=lease.lease_until, end_reason="its lease ran out")
            lease = None
        if lease is None or lease.lease_until is None:
            lease = journal.write(
                Lease(
                    cloud=str(inputs["cloud"]),
                    account=str(inputs["account"]),
                    kind="group",
                    name=str(inputs["name"]),
                    stamp=str(inputs["stamp"]),
                    run=str(inputs["run"]),
                    rented_at=now,
                    lease_until=lease_until(now, float(inputs["maxHours"])),
                    price_usd_per_h=float(inputs["priceUsdPerH"]),
                    id=str(inputs["name"]),
                )
            )
        assert lease.lease_until is not None
        until = lease.lease_until.astimezone(UTC).strftime(FORMAT)
        return Made(id=lease.name, outputs={"leaseUntil": until})

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`: the state's word holds on a machine that has no such journal."""
        return outputs

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`: another maxHours or price is the next lease's."""
        return outputs

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`: what it bounded is gone by now."""
        journal = Journal()
        lease = journal.living(str(inputs["account"]), str(inputs["name"]))
        if lease is not None:
            journal.change(lease, ended_at=lease.last_seen(datetime.now(UTC)), end_reason="destroyed")
