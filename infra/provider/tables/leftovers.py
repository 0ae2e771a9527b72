"""Leftovers: first in, last out; its end ends what an `up` that was killed rented before the state could know of it."""

from infra.journal import Journal
from infra.provider.table import Call, Made, Values, require
from infra.runpod.account import account_address, open_account
from infra.runpod.leftovers import end_leftovers


class LeftoversTable:
    """Nothing is rented for it; the journal tells what there is to end."""

    token = "sonarstack:index:Leftovers"  # noqa: S105 a type, no secret
    replaces = frozenset({"stamp"})
    computed = ()

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "stamp")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; asks nobody."""
        return Made(id=str(inputs["stamp"]), outputs={})

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`."""
        return outputs

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`."""
        return outputs

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`; all that the state knew of is gone by now. Asks nobody where no lease is open."""
        leases = Journal().leases(account=account_address(), stamp=id_)
        if any(lease.ended_at is None for lease in leases):
            with open_account(call.cancelled) as renter:
                for name in end_leftovers(renter, id_):
                    call.say(f"ended {name}, left by an `up` that was killed")
