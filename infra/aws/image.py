"""The training image, built by this machine's Docker and pushed into the stack's own repository."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedImageArgs:
    """What a `PushedImage` is made from."""

    context: str
    """Absolute folder of the project."""
    tag: str
    """Another content has another one: a tag once pushed stays with its image."""
    repository_url: pulumi.Input[str]
    local_name: str
    """Name on this machine of the CUDA image that the other one stands on."""
    build_args: Mapping[str, str]


class PushedImage(pulumi.ComponentResource):
    """The cloud image on the CUDA image; the machine takes it by digest."""

    def __init__(self, name: str, args: PushedImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:PushedImage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        base = docker.Image(
            f"{name}-cuda",
            image_name=f"{args.local_name}:{args.tag}",
            skip_push=True,
            build=_build(args, "cuda", args.build_args),
            opts=child,
        )
        # A token for the account's registry, good for twelve hours; it stays a secret.
        token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOutputOptions(parent=self))
        image = docker.Image(
            f"{name}-cloud",
            image_name=pulumi.Output.concat(args.repository_url, ":", args.tag),
            registry=docker.RegistryArgs(
                server=args.repository_url,
                username=token.user_name,
                password=pulumi.Output.secret(token.password),
            ),
            build=_build(args, "cloud", {**args.build_args, "CUDA_IMAGE": base.image_name}),
            # The next `up` has another token, which is no other image; another image is made anew, with the token of
            # its day, and not with the one of the last time.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["registry"], replace_on_changes=["imageName"]
            ),
        )
        self.reference: pulumi.Output[str] = image.repo_digest
        self.register_outputs({"reference": self.reference})


def _build(args: PushedImageArgs, kind: str, build_args: Mapping[str, Any]) -> docker.DockerBuildArgs:
    return docker.DockerBuildArgs(
        context=args.context,
        dockerfile=f"{args.context}/images/{kind}/Dockerfile",
        platform="linux/amd64",
        args=dict(build_args),
    )
