"""The training container: this machine as a host that runs one job."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

DATA, RUNS, SCRATCH = "/data", "/runs", "/scratch"
"""Where the job finds its data, writes its run, and keeps what need not last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingContainerArgs:
    """What a `TrainingContainer` is made from."""

    docker_name: str
    image: pulumi.Input[str]
    variables: Mapping[str, str]
    arguments: tuple[str, ...]
    data_folder: str | None
    """Absolute folder mounted read-only; None where the program fetches its data itself."""
    runs_folder: str
    """Absolute folder that the run is written to; exists."""
    runs_inside: str
    """Where the job finds it."""
    user: str
    """uid:gid that owns the runs folder."""
    memory_gib: float
    cpus: float | None
    gpus: str | None
    network: pulumi.Input[str] | None
    """Network to join; None cuts the job off, which is right wherever its data lies here."""
    labels: Mapping[str, str]
    stop_seconds: int = 60
    """Seconds between SIGTERM and SIGKILL: time for a checkpoint."""


class TrainingContainer(pulumi.ComponentResource):
    """One job in a container that may do nothing but compute and write its run.

    The settings that keep a job that ended from being a difference, each tried with pulumi-docker 5.2 (2026-11):
    must_run off, rm off (a refresh would train again), memory with memory_swap, replaced only after deletion.
    """

    def __init__(
        self, name: str, args: TrainingContainerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:local:TrainingContainer", name, None, opts)
        # The tile cache maps a file into memory where memory is short: a volume, since tmpfs is memory too.
        scratch = docker.Volume(
            f"{name}-scratch",
            name=f"{args.docker_name}-scratch",
            labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in args.labels.items()],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        memory_mib = int(args.memory_gib * 1024)
        container = docker.Container(
            f"{name}-container",
            name=args.docker_name,
            image=args.image,
            command=list(args.arguments),
            envs=[f"{k}={v}" for k, v in {**args.variables, "TMPDIR": SCRATCH}.items()],
            user=args.user,
            volumes=[
                *_binds(args),
                docker.ContainerVolumeArgs(container_path=SCRATCH, volume_name=scratch.name),
            ],
            memory=memory_mib,
            memory_swap=memory_mib,
            cpus=None if args.cpus is None else f"{args.cpus:g}",
            gpus=args.gpus,
            # Loader threads share memory with nobody, but torch's own workers may: half of what the job has.
            shm_size=memory_mib // 2,
            network_mode="none" if args.network is None else "bridge",
            networks_advanced=(
                None if args.network is None else [docker.ContainerNetworksAdvancedArgs(name=args.network)]
            ),
            read_only=True,
            tmpfs={"/tmp": "rw,nosuid,nodev,size=256m"},  # noqa: S108 the container's own
            security_opts=["no-new-privileges:true"],
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            must_run=False,
            attach=False,
            rm=False,
            restart="no",
            stop_timeout=args.stop_seconds,
            destroy_grace_seconds=args.stop_seconds,
            log_driver="json-file",
            log_opts={"max-size": "16m", "max-file": "3"},
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in args.labels.items()],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.container_id: pulumi.Output[str] = container.id
        self.docker_name: pulumi.Output[str] = container.name
        self.register_outputs({"containerId": self.container_id, "dockerName": self.docker_name})


def _binds(args: TrainingContainerArgs) -> list[docker.ContainerVolumeArgs]:
    runs = docker.ContainerVolumeArgs(
        host_path=args.runs_folder, container_path=args.runs_inside, read_only=False
    )
    if args.data_folder is None:
        return [runs]
    return [runs, docker.ContainerVolumeArgs(host_path=args.data_folder, container_path=DATA, read_only=True)]
