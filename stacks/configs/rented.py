"""Settings of all rented machines."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from stacks.configs.every import Contradiction, GpuName, Number, StackSettings, WholeNumber


class RentedSettings(StackSettings):
    """What all rented machines have: a price that is bounded before anything is rented."""

    max_usd_per_h: Annotated[Number, Field(gt=0, le=1000)]
    """Dollars an hour at most, all GPUs of the machine together; on spot markets the bid."""
    gpus: tuple[GpuName, ...]
    """GPU models that would do, best first, named as `python -m stacks prices` lists them."""
    gpu_count: Annotated[WholeNumber, Field(ge=1, le=16)] = 1
    """GPUs of the machine, 1 to 16."""
    disk_gib: Annotated[WholeNumber, Field(ge=20, le=4096)] = 50
    """GiB of the machine's own disk, 20 to 4096."""

    notify_url: str | None = None
    """Where a message goes when a run is done, dear, interrupted or about to end: an Apprise address, kept secret."""

    @property
    def hourly_price_usd(self) -> float:
        return self.max_usd_per_h

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        if not self.gpus:
            yield ("gpus",), 'sonarstack:gpus is empty; name at least one, such as ["RTX 4090"]'
        if self.device in ("cpu", "mps") or self.device.startswith("xpu"):
            yield (
                ("device",),
                f"sonarstack:device={self.device} would leave a rented GPU idle; set auto or cuda",
            )
