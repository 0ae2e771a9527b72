"""Settings of the Azure target."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from infra.azure.errors import SizeError
from infra.azure.sizes import Size, choose_sizes
from stacks.configs.every import Contradiction, Number, WholeNumber
from stacks.configs.virtual_machine import VirtualMachineSettings


class AzureSettings(VirtualMachineSettings):
    """A GPU machine on Azure, in a network of its own."""

    machines: ClassVar[tuple[str, str]] = ("sizes", "sizes")
    target: Literal["azure"]
    """Which of the targets this stack is: azure."""
    subscription: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] | None = None
    """Subscription's id; AZURE_SUBSCRIPTION_ID, or the only one of the account, if not set."""
    location: Annotated[str, Field(pattern=r"^[a-z]+[0-9]*$")] = "eastus"
    """Region by Azure's short name, such as eastus or westeurope."""
    sizes: tuple[str, ...] = ("Standard_NC4as_T4_v3",)
    """Sizes tried in order: the first that quota, stock and price allow, such as ["Standard_NC4as_T4_v3"]."""
    image_version: Annotated[str, Field(pattern=r"^(latest|\d+\.\d+\.\d+)$")] = "latest"
    """Version of Azure's HPC image (Ubuntu 22.04); latest is the newest when the machine is first made, and stays."""
    network: Literal["private", "cheap"] = "cheap"
    """private: endpoints of its own for storage, vault and registry; cheap: HTTPS to Azure's own services by NAT."""
    bastion: bool = False
    """Whether a Bastion is there for `ssh`; dear, billed by the hour as long as it stands."""
    login: Literal["key", "entra"] = "key"
    """Who may log in through it: key (this stack's SSH key), or entra (you, by your Azure account) too."""
    caller_address: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]+)?$")] | None = None
    """Public IPv4 address of this machine, which alone reaches the storage from outside; asked for if not set."""
    disk_gib: Annotated[WholeNumber, Field(ge=64, le=4096)] = 128
    """GiB of the machine's own disk, 64 to 4096."""
    log_days: Annotated[WholeNumber, Field(ge=30, le=730)] = 30
    """Days that Log Analytics keeps logs, 30 to 730."""
    log_gb_per_day: Annotated[Number, Field(ge=0.025, le=100)] = 1.0
    """GB of logs a day at most."""

    @property
    def chosen_sizes(self) -> tuple[Size, ...]:
        """The sizes as the table has them."""
        return choose_sizes(self.sizes)

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        try:
            _ = self.chosen_sizes
        except SizeError as error:
            yield ("sizes",), f"sonarstack:sizes: {error}"
        if self.login == "entra" and not self.bastion:
            yield (
                ("login", "bastion"),
                "sonarstack:login entra needs sonarstack:bastion true: without it no way leads to the machine",
            )
