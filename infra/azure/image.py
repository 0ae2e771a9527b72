"""The training image, built by this machine's Docker and pushed into the stack's own registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.azure.account import management_token
from infra.azure.errors import AccountError
from infra.azure.new_rights import Patience
from infra.azure.registry_token import USER, registry_token
from infra.azure.roles import ACR_PUSH, Grant, PrincipalType, assignment_name, grant

PATIENCE_S = 120.0
"""With a registry, its firewall's rule and the right to push that were made just now; an owner waits for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PushedImageArgs:
    """What a `PushedImage` is made from."""

    subscription_id: str
    group_id: str
    context: str
    """Absolute folder of the project."""
    tag: str
    """Another content has another one: a tag once pushed stays with its image."""
    registry_id: pulumi.Input[str]
    login_server: pulumi.Input[str]
    repository_url: pulumi.Input[str]
    caller_id: str
    """Object id of whoever deploys, which pushes by a role of its own: an owner may, others need it."""
    caller_type: PrincipalType
    local_name: str
    """Name on this machine of the CUDA image that the other one stands on."""
    build_args: Mapping[str, str]


class PushedImage(pulumi.ComponentResource):
    """The cloud image on the CUDA image; the machine takes it by digest."""

    def __init__(self, name: str, args: PushedImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:azure:PushedImage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        base = docker.Image(
            f"{name}-cuda",
            image_name=f"{args.local_name}:{args.tag}",
            skip_push=True,
            build=_build(args, "cuda", args.build_args),
            opts=child,
        )
        right = grant(
            f"{name}-push",
            Grant(
                role=ACR_PUSH,
                principal_id=args.caller_id,
                scope=args.registry_id,
                principal_type=args.caller_type,
            ),
            assignment=assignment_name(args.group_id, args.caller_id, "push"),
            subscription_id=args.subscription_id,
            opts=child,
        )
        # After the right: a token that was given before it would not have it.
        token: pulumi.Output[str] = pulumi.Output.all(args.login_server, right.id).apply(
            lambda of: push_token(str(of[0]))
        )
        password: pulumi.Output[str] = pulumi.Output.secret(token)
        image = docker.Image(
            f"{name}-cloud",
            image_name=pulumi.Output.concat(args.repository_url, ":", args.tag),
            registry=docker.RegistryArgs(server=args.login_server, username=USER, password=password),
            build=_build(args, "cloud", {**args.build_args, "CUDA_IMAGE": base.image_name}),
            # The next `up` has another token, which is no other image; another image is made anew, with the token of
            # its day, and not with the one of the last time.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["registry"], replace_on_changes=["imageName"]
            ),
        )
        self.reference: pulumi.Output[str] = image.repo_digest
        self.register_outputs({"reference": self.reference})


def push_token(login_server: str) -> str:
    """A token for the registry by the caller's own log-in; nothing is pushed in a look, which gets none.

    Raises:
        AzureError: no log-in, or the registry does not take it.
    """
    if pulumi.runtime.is_dry_run():
        return ""
    token = management_token().text
    return Patience(PATIENCE_S).ask(
        lambda: registry_token(login_server, token), lambda error: isinstance(error, AccountError)
    )


def _build(args: PushedImageArgs, kind: str, build_args: Mapping[str, Any]) -> docker.DockerBuildArgs:
    return docker.DockerBuildArgs(
        context=args.context,
        dockerfile=f"{args.context}/images/{kind}/Dockerfile",
        platform="linux/amd64",
        args=dict(build_args),
    )
