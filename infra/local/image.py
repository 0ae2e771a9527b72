"""The image that runs the job, built by this machine's Docker or taken as it is."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.provider.resources import BuiltImage


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerImageArgs:
    """What a `TrainerImage` is made from."""

    docker_name: str
    """Name and tag of the image on this machine."""
    context: str
    """Absolute folder of the project."""
    dockerfile: str
    """Absolute path."""
    platform: str
    """linux/amd64 or linux/arm64."""
    build_args: Mapping[str, str]
    keep: bool
    """Whether destroy leaves the image behind."""
    docker_host: str


class TrainerImage(pulumi.ComponentResource):
    """An image built here and never pushed; its reference is the content's digest.

    pulumi_docker.Image builds with dockerd's own BuildKit over the API, without the buildx plugin that docker_build
    needs, and never deletes what it built (tried with 5.2, 2026-11): `BuiltImage` does, old builds included.
    """

    def __init__(self, name: str, args: TrainerImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:local:TrainerImage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        image = docker.Image(
            f"{name}-build",
            image_name=args.docker_name,
            skip_push=True,
            build=docker.DockerBuildArgs(
                context=args.context,
                dockerfile=args.dockerfile,
                platform=args.platform,
                args=dict(args.build_args),
            ),
            opts=child,
        )
        built = BuiltImage(
            f"{name}-cleanup",
            reference=image.repo_digest,
            keep=args.keep,
            docker_host=args.docker_host,
            opts=child,
        )
        # Through BuiltImage, so that containers are gone before their image is.
        self.reference: pulumi.Output[str] = built.reference
        self.register_outputs({"reference": self.reference})
