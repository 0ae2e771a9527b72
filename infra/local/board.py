"""TensorBoard on loopback, over the run's folder."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.local.host import RUNS

ANSWERS = "import urllib.request as r; r.urlopen('http://127.0.0.1:6006/', timeout=3)"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardArgs:
    """What a `Board` is made from."""

    docker_name: str
    image: pulumi.Input[str]
    runs_folder: str
    user: str
    port: int
    network: pulumi.Input[str]
    labels: Mapping[str, str]


class Board(pulumi.ComponentResource):
    """TensorBoard, which reads the run and nothing else, reachable from this machine only."""

    def __init__(self, name: str, args: BoardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:local:Board", name, None, opts)
        docker.Container(
            f"{name}-container",
            name=args.docker_name,
            image=args.image,
            command=["tensorboard", RUNS],
            user=args.user,
            volumes=[
                docker.ContainerVolumeArgs(host_path=args.runs_folder, container_path=RUNS, read_only=True)
            ],
            # 0.0.0.0 inside the container is its own network; outside only loopback leads there.
            ports=[docker.ContainerPortArgs(internal=6006, external=args.port, ip="127.0.0.1")],
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=args.network)],
            memory=1024,
            memory_swap=1024,
            read_only=True,
            tmpfs={"/tmp": "rw,nosuid,nodev,size=64m"},  # noqa: S108 the container's own
            security_opts=["no-new-privileges:true"],
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            restart="unless-stopped",
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", "python", "-c", ANSWERS],
                interval="5s",
                timeout="5s",
                start_period="20s",
                retries=5,
            ),
            wait=True,
            wait_timeout=90,
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in args.labels.items()],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.url = f"http://127.0.0.1:{args.port}"
        self.register_outputs({"url": self.url})
