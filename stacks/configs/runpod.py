"""Settings of the Runpod target."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from stacks.configs.every import Contradiction, GpuName, WholeNumber
from stacks.configs.rented import RentedSettings


class RunpodSettings(RentedSettings):
    """A pod at Runpod."""

    target: Literal["runpod"]
    """Which of the targets this stack is: runpod."""
    gpus: tuple[GpuName, ...] = ("RTX 4090", "RTX 3090")
    """GPU models that would do, best first, named as `python -m stacks prices` lists them."""
    cloud: Literal["secure", "community"] = "secure"
    """secure: data centres with network volumes; community: other people's machines, cheaper, no volumes."""
    volume_gib: Annotated[WholeNumber, Field(ge=0, le=4096)] = 20
    """GiB of the network volume that the run lies on, 10 to 4096; 0 for none."""
    data_centers: tuple[str, ...] = ()
    """Data centres that would do, such as ["EU-RO-1"]; any if empty."""

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        if 0 < self.volume_gib < 10:
            yield (
                ("volumeGib",),
                f"sonarstack:volumeGib={self.volume_gib} is below Runpod's least of 10; set 0 or 10 to 4096",
            )
        if self.cloud == "community" and self.volume_gib:
            yield (
                ("cloud", "volumeGib"),
                "sonarstack:cloud=community has no network volumes; set sonarstack:volumeGib to 0, or cloud to secure",
            )
        wrong = [d for d in self.data_centers if d != d.upper()]
        if wrong:
            yield (
                ("dataCenters",),
                f"sonarstack:dataCenters holds {', '.join(wrong)}; Runpod's are written in capitals, such as EU-RO-1",
            )
        if any(re.search(r"A100.*40", gpu) for gpu in self.gpus):
            yield (
                ("gpus",),
                "sonarstack:gpus asks for an A100 with 40 GB, which Runpod does not have; "
                'name "A100 80GB PCIe" or "A100 80GB SXM"',
            )
