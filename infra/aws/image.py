"""The training image, built by this machine's Docker and pushed into the stack's own repository."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from infra.vm.image import pushed_image


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
        # A token for the account's registry, good for twelve hours; it stays a secret.
        token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOutputOptions(parent=self))
        self.reference = pushed_image(
            name,
            self,
            context=args.context,
            tag=args.tag,
            local_name=args.local_name,
            repository_url=args.repository_url,
            registry=docker.RegistryArgs(
                server=args.repository_url,
                username=token.user_name,
                password=pulumi.Output.secret(token.password),
            ),
            build_args=args.build_args,
        )
        self.register_outputs({"reference": self.reference})
