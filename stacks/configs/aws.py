"""Settings of the AWS target."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from infra.aws.errors import InstanceTypeError
from infra.aws.types import InstanceType, choose_types, variant_of
from stacks.configs.every import Contradiction, WholeNumber
from stacks.configs.virtual_machine import VirtualMachineSettings

LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731]
"""Those that CloudWatch knows, up to two years."""


class AwsSettings(VirtualMachineSettings):
    """A GPU instance on EC2, in a network of its own."""

    machines: ClassVar[tuple[str, str]] = ("instanceTypes", "types")
    target: Literal["aws"]
    """Which of the targets this stack is: aws."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    """Region, such as us-east-1."""
    instance_types: tuple[str, ...] = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
    """Instance types tried in order, such as ["g4dn.xlarge", "g5.xlarge"]."""
    allow_retired: bool = False
    """Whether a type that AWS has retired (P3) may be asked for, by an account that still holds one."""
    ami: Annotated[str, Field(pattern=r"^ami-[0-9a-f]{8,17}$")] | None = None
    """Machine image of your own, such as ami-0abc; the newest Deep Learning AMI at the first up if not set."""
    on_demand_after: Annotated[WholeNumber, Field(ge=1, le=100)] | None = None
    """Interruptions after which the run goes on on demand; needs maxUsdPerH at the on-demand price."""
    network: Literal["private", "cheap"] = "cheap"
    """private: interface endpoints and no internet; cheap: a public subnet, nothing comes in, HTTPS goes out."""
    zones: tuple[str, ...] = ()
    """Zones to look in, such as ["us-east-1a"]; all that have one of the types if empty."""
    log_days: LogDays = 30
    """Days that CloudWatch keeps logs."""

    @property
    def types(self) -> tuple[InstanceType, ...]:
        """The types as the table has them."""
        return choose_types(self.instance_types, allow_retired=self.allow_retired, ami=self.ami)

    @property
    def image_arguments(self) -> dict[str, str]:
        """Of the image's build: the build of torch that drives every one of the types, and what is set."""
        old = {"TORCH": "2.10.0", "TORCHVISION": "0.25.0"} if variant_of(self.types) == "cuda12" else {}
        return {**old, **self.build_args}

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        try:
            _ = self.types
        except InstanceTypeError as error:
            yield ("instanceTypes",), f"sonarstack:instanceTypes: {error}"
        if self.on_demand_after is not None and self.market != "spot":
            yield ("onDemandAfter", "market"), "sonarstack:onDemandAfter is for sonarstack:market spot"
        for zone in self.zones:
            if not zone.startswith(self.region):
                yield ("zones",), f"sonarstack:zones holds {zone}, which is not in {self.region}"
