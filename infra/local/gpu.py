"""Whether a container is given the GPUs of this machine, and why. Pure."""

from dataclasses import dataclass

from infra.errors import DockerError


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuChoice:
    """What Docker is told about GPUs."""

    gpus: str | None
    """Docker's `--gpus`: all, or None."""
    reason: str


def choose_gpus(request: str, *, docker_has_gpu: bool) -> GpuChoice:
    """Decide by the setting `gpu` and what Docker has.

    Raises:
        DockerError: all GPUs are asked for and Docker has none.
    """
    if request == "none":
        return GpuChoice(gpus=None, reason="sonarstack:gpu=none")
    if docker_has_gpu:
        return GpuChoice(gpus="all", reason="Docker has the nvidia runtime")
    if request == "all":
        raise DockerError(
            "sonarstack:gpu=all, and Docker has no nvidia runtime; install nvidia-container-toolkit, "
            "or set gpu to auto"
        )
    return GpuChoice(gpus=None, reason="Docker has no nvidia runtime")
