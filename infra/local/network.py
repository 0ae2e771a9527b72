"""What a container on this machine may reach and be reached by."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalNetworkArgs:
    """What a `LocalNetwork` is made from."""

    docker_name: str
    labels: Mapping[str, str]


class LocalNetwork(pulumi.ComponentResource):
    """A bridge of the stack's own, so that its containers share none with others on this machine."""

    def __init__(self, name: str, args: LocalNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:local:Network", name, None, opts)
        network = docker.Network(
            f"{name}-bridge",
            name=args.docker_name,
            driver="bridge",
            labels=[docker.NetworkLabelArgs(label=k, value=v) for k, v in args.labels.items()],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.docker_name: pulumi.Output[str] = network.name
        self.register_outputs({"dockerName": self.docker_name})
