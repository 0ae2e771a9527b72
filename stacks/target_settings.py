"""What can be set, for all targets and for each: frozen models whose docstrings are the help in every error."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from infra.specs import Limits, TrainingJob

ADDRESS = re.compile(r"^[a-z][a-z0-9+]*://", re.IGNORECASE)
Contradiction = tuple[tuple[str, ...], str]
"""Keys that do not go together, and the sentence about them."""


def _as_number(value: Any) -> Any:
    # Pulumi's own files say 2.0 where a whole number was meant; true and false are no numbers at all.
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


def _named_gpu(value: str) -> str:
    if not value.strip():
        raise ValueError("holds an empty name")
    return value.strip()


Number = Annotated[float, BeforeValidator(_as_number)]
GpuName = Annotated[str, AfterValidator(_named_gpu)]


class StackSettings(BaseModel):
    """Settings that every target has."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    target: str
    """Which of the targets this stack is."""
    recipe: Literal["smoke", "baseline", "fine_tune"] = "baseline"
    """How to train: smoke (seconds, proves that everything works), baseline or fine_tune."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?|mps|xpu(:\d+)?)$")] = "auto"
    """auto, cpu, cuda, cuda:N, mps, xpu or xpu:N."""
    data_url: str
    """Folder of labelled tiles on this machine (YOLO, COCO or Pascal VOC), or an address the program opens itself."""
    run_url: str | None = None
    """Address the run is also copied to at each checkpoint: s3://, gs://, az://."""
    home: str | None = None
    """Folder on this machine where the run is, or comes home to; runs/STACK if not set."""
    max_hours: Annotated[Number, Field(gt=0, le=720)] = 12.0
    """Hours: the lease, after which the run ends with a checkpoint; up to 720."""
    max_usd: Annotated[Number, Field(gt=0)] | None = None
    """Dollars the whole run may cost; needs a price."""
    idle_minutes: Annotated[Number, Field(gt=0)] | None = None
    """Minutes a GPU may do nothing before the run ends."""
    checkpoint_minutes: Annotated[Number, Field(gt=0, le=1440)] = 10.0
    """Minutes between checkpoints, the most that a crash can lose."""
    train_arguments: tuple[str, ...] = ()
    """Further words for `python -m app train`, such as ["--epochs", "3"]."""
    wait: bool = False
    """Whether `up` stays until the job has ended, and fails with it."""
    rerun: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = ""
    """Letters and digits, such as 2; another value asks for another run, in a folder of its own."""

    @property
    def data_is_remote(self) -> bool:
        """Whether the program fetches the data itself."""
        return ADDRESS.match(self.data_url) is not None

    @property
    def hourly_price_usd(self) -> float:
        """What an hour costs at most, as far as the settings know: the user's own ceiling."""
        return 0.0

    def limits(self) -> Limits:
        """The ceilings, as infra has them."""
        return Limits(
            max_hours=self.max_hours,
            max_usd=self.max_usd,
            max_usd_per_h=self.hourly_price_usd or None,
            idle_minutes=self.idle_minutes,
        )

    def job(self, *, data: str) -> TrainingJob:
        """The job, with the data where it will lie for the program."""
        return TrainingJob(
            limits=self.limits(),
            data_url=data,
            recipe=self.recipe,
            device=self.device,
            run_url=self.run_url,
            checkpoint_minutes=self.checkpoint_minutes,
            price_usd_per_h=self.hourly_price_usd,
            train_arguments=self.train_arguments,
        )

    def contradictions(self) -> Iterator[Contradiction]:
        """Settings that are right alone and wrong together."""
        if self.run_url is not None and not ADDRESS.match(self.run_url):
            yield (
                ("runUrl",),
                f"sonarstack:runUrl={self.run_url!r} is no address; give s3://, gs:// or az://, "
                "or set sonarstack:home for a folder on this machine",
            )
        if self.max_usd is not None and not self.hourly_price_usd:
            yield (
                ("maxUsd", "maxUsdPerH", "priceUsdPerH"),
                f"sonarstack:maxUsd={self.max_usd:g} cannot be counted without a price; "
                f"set sonarstack:{'priceUsdPerH' if self.target == 'local' else 'maxUsdPerH'} too",
            )
        for word in ("--run", "--data", "--resume", "--json"):
            if word in self.train_arguments:
                yield (
                    ("trainArguments",),
                    f"sonarstack:trainArguments holds {word}, which the stack sets itself; remove it",
                )


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
    build_args: dict[str, str] = {}
    """Build arguments of the image, such as {"BASE_IMAGE": "mirror.example/python:3.12-slim"}, for closed networks."""
    keep_image: bool = False
    """Whether destroy leaves the built image behind."""
    docker_host: str | None = None
    """Docker to use, such as unix:///run/user/1000/docker.sock; DOCKER_HOST, or the system's own, if not set."""
    tensorboard: bool = True
    """Whether TensorBoard is served from a container, on loopback only."""
    tensorboard_port: Annotated[int, BeforeValidator(_as_number), Field(ge=1024, le=65535)] = 6006
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


class RentedSettings(StackSettings):
    """What all rented machines have: a price that is bounded before anything is rented."""

    max_usd_per_h: Annotated[Number, Field(gt=0, le=1000)]
    """Dollars an hour at most, all GPUs of the machine together; on spot markets the bid."""
    gpus: tuple[GpuName, ...]
    """GPU models that would do, best first, named as `python -m stacks prices` lists them."""
    gpu_count: Annotated[int, BeforeValidator(_as_number), Field(ge=1, le=16)] = 1
    """GPUs of the machine, 1 to 16."""
    disk_gib: Annotated[int, BeforeValidator(_as_number), Field(ge=20, le=4096)] = 50
    """GiB of the machine's own disk, 20 to 4096."""

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


class RunpodSettings(RentedSettings):
    """A pod at Runpod."""

    target: Literal["runpod"]
    """Which of the targets this stack is: runpod."""
    gpus: tuple[GpuName, ...] = ("RTX 4090", "RTX 3090")
    """GPU models that would do, best first, named as `python -m stacks prices` lists them."""
    cloud: Literal["secure", "community"] = "secure"
    """secure: data centres with network volumes; community: other people's machines, cheaper, no volumes."""
    volume_gib: Annotated[int, BeforeValidator(_as_number), Field(ge=0, le=4096)] = 20
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


TARGETS: dict[str, type[StackSettings]] = {
    "local": LocalSettings,
    "runpod": RunpodSettings,
    "aws": AwsSettings,
}
"""Every target and its settings."""
