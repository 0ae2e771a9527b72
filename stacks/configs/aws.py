"""Settings of the AWS target."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from stacks.configs.every import Contradiction, GpuName
from stacks.configs.rented import RentedSettings


class AwsSettings(RentedSettings):
    """A GPU instance on EC2, in a network of its own."""

    target: Literal["aws"]
    """Which of the targets this stack is: aws."""
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = "us-east-1"
    """Region, such as us-east-1."""
    gpus: tuple[GpuName, ...] = ()
    """Not used on AWS, where instance types name the GPU; leave it out."""
    instance_types: tuple[str, ...] = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
    """Instance types tried in order, such as ["g4dn.xlarge", "g5.xlarge"]."""
    market: Literal["spot", "on_demand"] = "spot"
    """spot: the bid is sonarstack:maxUsdPerH; on_demand: never interrupted, dearer."""
    network: Literal["private", "cheap"] = "cheap"
    """private: interface endpoints and no internet; cheap: a public subnet, nothing comes in, HTTPS goes out."""
    keep_bucket: bool = True
    """Whether destroy leaves the bucket with data and runs."""

    def contradictions(self) -> Iterator[Contradiction]:
        yield from (c for c in super().contradictions() if c[0] != ("gpus",))
        if self.gpus:
            yield ("gpus",), "sonarstack:gpus is not used on aws; name types in sonarstack:instanceTypes"
        if not self.instance_types:
            yield ("instanceTypes",), 'sonarstack:instanceTypes is empty; name one, such as ["g4dn.xlarge"]'
        for kind in self.instance_types:
            if re.match(r"^p[23]\.", kind):
                yield (
                    ("instanceTypes",),
                    f"sonarstack:instanceTypes holds {kind}, which AWS has retired; take g5.xlarge or g6.xlarge",
                )
            elif not re.match(r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$", kind):
                yield (
                    ("instanceTypes",),
                    f"sonarstack:instanceTypes holds {kind!r}, which is no instance type; write g4dn.xlarge, say",
                )
