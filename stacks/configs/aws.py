"""Settings of the AWS target."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from infra.aws.errors import InstanceTypeError
from infra.aws.types import InstanceType, choose_types, variant_of
from stacks.configs.every import Contradiction, GpuName, Number, WholeNumber
from stacks.configs.rented import RentedSettings

LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731]
"""Those that CloudWatch knows, up to two years."""


class AwsSettings(RentedSettings):
    """A GPU instance on EC2, in a network of its own."""

    target: Literal["aws"]
    """Which of the targets this stack is: aws."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    """Region, such as us-east-1."""
    gpus: tuple[GpuName, ...] = ()
    """Not used on AWS, where instance types name the GPU; leave it out."""
    gpu_count: WholeNumber = 1
    """Not used on AWS, where all GPUs of the machine train; leave it out."""
    instance_types: tuple[str, ...] = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
    """Instance types tried in order, such as ["g4dn.xlarge", "g5.xlarge"]."""
    allow_retired: bool = False
    """Whether a type that AWS has retired (P3) may be asked for, by an account that still holds one."""
    ami: Annotated[str, Field(pattern=r"^ami-[0-9a-f]{8,17}$")] | None = None
    """Machine image of your own, such as ami-0abc; the newest Deep Learning AMI at the first up if not set."""
    market: Literal["spot", "on_demand"] = "spot"
    """spot: the bid is sonarstack:maxUsdPerH; on_demand: never interrupted, dearer."""
    on_demand_after: Annotated[WholeNumber, Field(ge=1, le=100)] | None = None
    """Interruptions after which the run goes on on demand; needs maxUsdPerH at the on-demand price."""
    network: Literal["private", "cheap"] = "cheap"
    """private: interface endpoints and no internet; cheap: a public subnet, nothing comes in, HTTPS goes out."""
    zones: tuple[str, ...] = ()
    """Zones to look in, such as ["us-east-1a"]; all that have one of the types if empty."""
    keep_bucket: bool = True
    """Whether destroy leaves the bucket with data and runs."""
    log_days: LogDays = 30
    """Days that CloudWatch keeps logs."""
    image: str | None = None
    """Image of your own, by tag or digest, that the machine may pull; built and pushed by `up` if not set."""
    build_args: dict[str, str] = Field(default_factory=dict)
    """Arguments of the image's build, such as {"PACKAGE_INDEX": "https://..."}."""
    budget_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """Who gets a mail when the month's bill nears sonarstack:budgetUsd."""
    budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """Dollars a month, for that mail."""

    @property
    def types(self) -> tuple[InstanceType, ...]:
        """The types as the table has them."""
        return choose_types(self.instance_types, allow_retired=self.allow_retired, ami=self.ami)

    @property
    def image_arguments(self) -> dict[str, str]:
        """Of the image's build: the build of torch that drives every one of the types, and what is set."""
        old = {"TORCH": "2.10.0", "TORCHVISION": "0.25.0"} if variant_of(self.types) == "cuda12" else {}
        return {**old, **self.build_args}

    @property
    def budget(self) -> tuple[float, str] | None:
        """Dollars a month, and who is written to."""
        if self.budget_usd is None or self.budget_email is None:
            return None
        return self.budget_usd, self.budget_email

    def contradictions(self) -> Iterator[Contradiction]:
        yield from (c for c in super().contradictions() if c[0] != ("gpus",))
        if self.gpus:
            yield ("gpus",), "sonarstack:gpus is not used on aws; name types in sonarstack:instanceTypes"
        if self.gpu_count != 1:
            yield (
                ("gpuCount",),
                "sonarstack:gpuCount is not used on aws, where all GPUs of the machine train; name another type in "
                "sonarstack:instanceTypes",
            )
        try:
            _ = self.types
        except InstanceTypeError as error:
            yield ("instanceTypes",), f"sonarstack:instanceTypes: {error}"
        if self.data_is_remote:
            yield (
                ("dataUrl",),
                f"sonarstack:dataUrl={self.data_url!r}: the machine reads the stack's own bucket only; give a folder "
                "on this machine, which `up` sends there",
            )
        if self.run_url is not None:
            yield ("runUrl",), "sonarstack:runUrl is not used on aws: the run lies in the stack's own bucket"
        if (self.budget_email is None) != (self.budget_usd is None):
            yield ("budgetEmail", "budgetUsd"), "sonarstack:budgetEmail and sonarstack:budgetUsd go together"
        if self.on_demand_after is not None and self.market != "spot":
            yield ("onDemandAfter", "market"), "sonarstack:onDemandAfter is for sonarstack:market spot"
        for zone in self.zones:
            if not zone.startswith(self.region):
                yield ("zones",), f"sonarstack:zones holds {zone}, which is not in {self.region}"
