"""Where everything of one stack's training lies on Azure, by names that are known before any of it exists. Pure."""

from dataclasses import dataclass

from infra.azure.names import (
    DIGEST_LETTERS,
    group_id,
    group_name,
    machine_name,
    part_id,
    registry_name,
    storage_account_name,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Of one stack, one run, one job and one try."""

    subscription_id: str
    location: str
    """Azure's word for a region, such as eastus."""
    stack: str
    stamp: str
    run_name: str
    job_digest: str
    """Another one is another machine."""
    data_digest: str
    attempt: int = 0
    """How many machines of this job were taken away before."""

    @property
    def group(self) -> str:
        """Name of the resource group."""
        return group_name(self.stamp)

    @property
    def group_id(self) -> str:
        """Its id."""
        return group_id(self.subscription_id, self.stamp)

    @property
    def storage_account(self) -> str:
        """Name of the storage account, which holds the containers data and runs."""
        return storage_account_name(self.subscription_id, self.stamp)

    @property
    def registry(self) -> str:
        """Name of the image registry."""
        return registry_name(self.subscription_id, self.stamp)

    @property
    def data(self) -> str:
        """Prefix of the tiles in container data. Other data lies elsewhere: what a machine reads is never changed."""
        return f"{self.stack}/{self.data_digest}"

    @property
    def run(self) -> str:
        """Prefix of the run in container runs."""
        return f"{self.stack}/{self.run_name}"

    @property
    def notes(self) -> str:
        """Prefix in container runs of what the machines of this job tell of themselves; of every try."""
        return f"{self.stack}/host/{self.job_digest[:DIGEST_LETTERS]}"

    @property
    def machine(self) -> str:
        """Name of the virtual machine."""
        return machine_name(self.stamp, self.job_digest, self.attempt)

    @property
    def machine_id(self) -> str:
        """Its id."""
        return part_id(self.subscription_id, self.stamp, "Microsoft.Compute/virtualMachines", self.machine)
