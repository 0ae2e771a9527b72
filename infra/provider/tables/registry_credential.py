"""RegistryCredential: what Runpod pulls a private image with. The password is secret in and never comes out."""

from infra.provider.table import Call, Made, Values, require
from infra.runpod.account import open_account


class RegistryCredentialTable:
    """Write-only at Runpod, which has no change of one: another name, user or password is another credential."""

    token = "sonarstack:index:RegistryCredential"  # noqa: S105 a type, no secret
    replaces = frozenset({"name", "username", "password"})
    computed = ("registryId",)

    def check(self, inputs: Values) -> dict[str, str]:
        """See `Table.check`."""
        return require(inputs, "name", "username", "password")

    def create(self, call: Call, inputs: Values) -> Made:
        """See `Table.create`; one of this name may hold another password, which nobody can read: it goes first."""
        with open_account(call.cancelled) as renter:
            for old in renter.client.registries():
                if old.name == inputs["name"]:
                    renter.client.delete_registry(old.id)
            made = renter.client.create_registry(
                name=inputs["name"], username=inputs["username"], password=inputs["password"]
            )
            return Made(id=made.id, outputs={"registryId": made.id})

    def read(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values | None:
        """See `Table.read`."""
        with open_account(call.cancelled) as renter:
            return outputs if renter.client.registry(id_) is not None else None

    def moved(self, call: Call, id_: str, inputs: Values, outputs: Values) -> list[str]:
        """See `Table.moved`."""
        return []

    def update(self, call: Call, id_: str, inputs: Values, outputs: Values) -> Values:
        """See `Table.update`."""
        return outputs

    def delete(self, call: Call, id_: str, inputs: Values, outputs: Values) -> None:
        """See `Table.delete`."""
        with open_account(call.cancelled) as renter:
            renter.client.delete_registry(id_)
