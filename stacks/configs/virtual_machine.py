"""Settings of clouds whose machine is a virtual one in a network of its own, beside a bucket that outlives it."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stacks.configs.every import Contradiction, GpuName, Number, WholeNumber
from stacks.configs.rented import RentedSettings


class VirtualMachineSettings(RentedSettings):
    """What AWS and Azure have in common."""

    machines: ClassVar[tuple[str, str]]
    """The setting that names machines, and the cloud's word for them."""
    gpus: tuple[GpuName, ...] = ()
    """Not used here, where types of machines name the GPU; leave it out."""
    gpu_count: WholeNumber = 1
    """Not used here, where all GPUs of the machine train; leave it out."""
    market: Literal["spot", "on_demand"] = "spot"
    """spot: the bid is sonarstack:maxUsdPerH; on_demand: never interrupted, dearer."""
    keep_bucket: bool = True
    """Whether destroy leaves the bucket with data and runs."""
    image: str | None = None
    """Image of your own, by tag or digest, that the machine may pull; built and pushed by `up` if not set."""
    build_args: dict[str, str] = Field(default_factory=dict)
    """Arguments of the image's build, such as {"PACKAGE_INDEX": "https://..."}."""
    budget_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Who gets a mail when the month's bill nears sonarstack:budgetUsd."""
    budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """Dollars a month, for that mail."""

    @property
    def budget(self) -> tuple[float, str] | None:
        """Dollars a month, and who is written to."""
        if self.budget_usd is None or self.budget_email is None:
            return None
        return self.budget_usd, self.budget_email

    @property
    def image_arguments(self) -> dict[str, str]:
        """Of the image's build."""
        return dict(self.build_args)

    def contradictions(self) -> Iterator[Contradiction]:
        setting, word = self.machines
        yield from (c for c in super().contradictions() if c[0] != ("gpus",))
        if self.gpus:
            yield (
                ("gpus",),
                f"sonarstack:gpus is not used on {self.target}; name {word} in sonarstack:{setting}",
            )
        if self.gpu_count != 1:
            yield (
                ("gpuCount",),
                f"sonarstack:gpuCount is not used on {self.target}, where all GPUs of the machine train; name another "
                f"of the {word} in sonarstack:{setting}",
            )
        if self.data_is_remote:
            yield (
                ("dataUrl",),
                f"sonarstack:dataUrl={self.data_url!r}: the machine reads the stack's own bucket only; give a folder "
                "on this machine, which `up` sends there",
            )
        if self.run_url is not None:
            yield (
                ("runUrl",),
                f"sonarstack:runUrl is not used on {self.target}: the run lies in the stack's own bucket",
            )
        if (self.budget_email is None) != (self.budget_usd is None):
            yield ("budgetEmail", "budgetUsd"), "sonarstack:budgetEmail and sonarstack:budgetUsd go together"
