"""Settings of the Runpod target."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from infra.runpod.spec import STOCK_CUDA, STOCK_IMAGE
from stacks.configs.every import Contradiction, GpuName, Number, WholeNumber
from stacks.configs.rented import RentedSettings


class RunpodSettings(RentedSettings):
    """A pod at Runpod."""

    target: Literal["runpod"]
    """Which of the targets this stack is: runpod."""
    gpus: tuple[GpuName, ...] = ("RTX 4090", "RTX 3090")
    """GPU models that would do, named as `python -m stacks prices` lists them; the cheapest in stock is taken."""
    min_vram_gib: Annotated[Number, Field(gt=0, le=1024)] | None = None
    """GiB of memory that each GPU must have."""
    min_cuda: Annotated[str, Field(pattern=r"^\d+\.\d+$")] | None = STOCK_CUDA
    """CUDA version that the host must offer at least, such as "12.8"; the image needs it."""
    market: Literal["on_demand"] = "on_demand"
    """on_demand: Runpod rents no other way; spot and bids ended there in 2026-05 (AWS, Azure and Vast.ai have them)."""
    cloud: Literal["secure", "community"] = "secure"
    """secure: data centres with network volumes; community: other people's machines, cheaper, no volumes."""
    volume_gib: Annotated[WholeNumber, Field(ge=0, le=4096)] | None = None
    """GiB of the network volume that the run lies on, 10 to 4096; 0 for none; 20 in the secure cloud if not set."""
    data_centers: tuple[str, ...] = ()
    """Data centres that would do, such as ["EU-RO-1"]; any if empty."""
    image: str | None = None
    """Own cloud image (images/cloud) with tag or digest; Runpod's own PyTorch image if not set."""
    registry_username: str | None = None
    """User of the image's registry; goes with registryPassword."""
    registry_password: str | None = None
    """Its password, set with `pulumi config set --secret sonarstack:registryPassword`."""
    authorized_keys: tuple[str, ...] = ()
    """Public SSH keys that are let in besides the stack's own, such as ["ssh-ed25519 AAAA... me"]."""
    expose: bool = False
    """Whether Jupyter answers at Runpod's public address too, behind a password that only SSH tells."""
    sealed: bool | None = None
    """Whether data and checkpoints lie there encrypted only; true in the community cloud if not set."""
    workspace: Annotated[str, Field(pattern=r"^/[\w./-]+$")] = "/workspace"
    """Folder on the pod: where the volume is mounted."""
    python: str | None = None
    """Python on the pod that has everything; without it an environment is made beside the image's torch."""
    linger_minutes: Annotated[Number, Field(ge=0, le=120)] = 2.0
    """Minutes a pod stays after its job's end, for you to look; it bills meanwhile."""
    ready_minutes: Annotated[Number, Field(gt=0, le=120)] = 20.0
    """Minutes that one host has to become ready, before it is given back and another one taken."""

    @property
    def volume(self) -> int:
        """GiB of the network volume; 0 for none."""
        if self.volume_gib is not None:
            return self.volume_gib
        return 20 if self.cloud == "secure" else 0

    @property
    def is_sealed(self) -> bool:
        """Whether data and checkpoints are encrypted there."""
        return self.cloud == "community" if self.sealed is None else self.sealed

    @property
    def image_name(self) -> str:
        """What the pod runs."""
        return self.image or STOCK_IMAGE

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        if self.volume_gib is not None and 0 < self.volume_gib < 10:
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
        if self.image is not None and not re.search(
            r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", self.image.rsplit("/")[-1]
        ):
            yield (
                ("image",),
                f"sonarstack:image={self.image!r} has no tag, so nobody knows what it will be tomorrow; "
                "name it with a tag or digest, such as user/sonarstack:1.0 or user/sonarstack@sha256:...",
            )
        if (self.registry_username is None) != (self.registry_password is None):
            yield (
                ("registryUsername", "registryPassword"),
                "sonarstack:registryUsername and registryPassword go together; set both, or neither",
            )
        elif self.registry_username is not None and self.image is None:
            yield (
                ("registryUsername", "image"),
                "sonarstack:registryUsername needs sonarstack:image, the private image to pull; set it, or remove both",
            )
        if self.is_sealed and self.data_is_remote:
            yield (
                ("sealed", "dataUrl"),
                "sonarstack:sealed keeps a folder's tiles encrypted there, and dataUrl is an address that the pod "
                "opens itself; give a folder, or set sealed to false",
            )
