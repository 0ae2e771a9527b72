"""The training image, built by this machine's Docker and pushed into the stack's own registry."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.azure.account import management_token
from infra.azure.errors import AccountError
from infra.azure.new_rights import Patience
from infra.azure.registry_token import USER, registry_token
from infra.azure.roles import ACR_PUSH, Grant, PrincipalType, assignment_name, grant
from infra.vm.image import pushed_image

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
            opts=pulumi.ResourceOptions(parent=self),
        )
        # After the right: a token that was given before it would not have it.
        token: pulumi.Output[str] = pulumi.Output.all(args.login_server, right.id).apply(
            lambda of: push_token(str(of[0]))
        )
        password: pulumi.Output[str] = pulumi.Output.secret(token)
        self.reference = pushed_image(
            name,
            self,
            context=args.context,
            tag=args.tag,
            local_name=args.local_name,
            repository_url=args.repository_url,
            registry=docker.RegistryArgs(server=args.login_server, username=USER, password=password),
            build_args=args.build_args,
        )
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
