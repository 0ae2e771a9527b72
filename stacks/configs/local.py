"""Settings of the local target."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from stacks.configs.every import Contradiction, Number, StackSettings, WholeNumber


class LocalSettings(StackSettings):
    """This machine, or one's own GPU server."""

    target: Literal["local"]
    """Which of the targets this stack is: local."""
    mode: Literal["container", "process"] = "container"
    """container: in Docker; process: as a process of this machine, under the same variables."""
    gpu: Literal["auto", "none", "all"] = "auto"
    """Whether a container sees the GPUs: auto gives them where Docker has them."""
    memory_gib: Annotated[Number, Field(ge=1, le=4096)] = 8.0
    """GiB of memory a container may use; from 1 on."""
    cpus: Annotated[Number, Field(gt=0, le=1024)] | None = None
    """Cores a container may use; all if not set."""
    image: str | None = None
    """Image to run instead of building one: a digest (name@sha256:...) or a local tag."""
    build_args: dict[str, str] = Field(default_factory=dict)
    """Build arguments of the image, such as {"BASE_IMAGE": "mirror.example/python:3.12-slim"}, for closed networks."""
    keep_image: bool = False
    """Whether destroy leaves the built image behind."""
    docker_host: str | None = None
    """Docker to use, such as unix:///run/user/1000/docker.sock; DOCKER_HOST, or the system's own, if not set."""
    tensorboard: bool = True
    """Whether TensorBoard is served from a container, on loopback only."""
    tensorboard_port: Annotated[WholeNumber, Field(ge=1024, le=65535)] = 6006
    """Port on loopback for TensorBoard, 1024 to 65535."""
    gpu_server: Annotated[str, Field(pattern=r"^ssh://([^@/\s]+@)?[^@/:\s]+(:\d+)?$")] | None = None
    """Own GPU server to run on instead, as ssh://user@host or ssh://user@host:port."""
    gpu_server_host_key: Annotated[str, Field(pattern=r"^(ssh-|ecdsa-)\S+ \S+")] | None = None
    """Its host key, as `ssh-keyscan HOST` prints it after the name; one's known_hosts decides if not set."""
    gpu_server_folder: Annotated[str, Field(pattern=r"^[\w./-]+$")] = "sonarstack"
    """Folder on the server, in the user's home unless it begins with a slash."""
    gpu_server_python: str | None = None
    """Python on the server that has torch; without it setup.sh makes an environment there."""
    price_usd_per_h: Annotated[Number, Field(ge=0)] = 0.0
    """Dollars an hour of one's own machine, for electricity, say; 0 counts none."""

    @property
    def hourly_price_usd(self) -> float:
        return self.price_usd_per_h

    def contradictions(self) -> Iterator[Contradiction]:
        yield from super().contradictions()
        if self.device.startswith("cuda") and self.gpu == "none" and self.needs_docker:
            yield (
                ("device", "gpu"),
                f"sonarstack:device={self.device} needs a GPU, sonarstack:gpu=none hides it; set gpu to auto or all",
            )
        if self.device == "mps" and self.needs_docker:
            yield (
                ("device", "mode"),
                "sonarstack:device=mps cannot be reached from a container; set sonarstack:mode to process",
            )
        if self.image is not None and self.build_args:
            yield (
                ("image", "buildArgs"),
                "sonarstack:image is run as it is, sonarstack:buildArgs builds one; leave one of them out",
            )
        if self.gpu_server is None and (self.gpu_server_host_key or self.gpu_server_python):
            yield (
                ("gpuServer", "gpuServerHostKey", "gpuServerPython"),
                "sonarstack:gpuServerHostKey and gpuServerPython need sonarstack:gpuServer; set it, or remove them",
            )

    @property
    def needs_docker(self) -> bool:
        """Whether the job runs in a container."""
        return self.mode == "container" and self.gpu_server is None
