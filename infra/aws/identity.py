"""Who the training machine is: a role that may do its work in its own places, and nothing beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.policies import HostPlaces, host_document, trust_document


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRoleArgs:
    """What a `HostRole` is made from."""

    account_id: str
    region: str
    stack: str
    """Its runs lie under runs/STACK/."""
    role_name: str
    bucket_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    log_group_arn: pulumi.Input[str]
    namespace: str
    group_names: str
    """Of the groups that the machine may end, as a pattern."""
    tags: Mapping[str, pulumi.Input[str]]
    secret_arn: pulumi.Input[str] | None = None
    repository_arn: pulumi.Input[str] | None = None


class HostRole(pulumi.ComponentResource):
    """Role, boundary and profile. The boundary is the same list: a policy attached later widens nothing."""

    def __init__(self, name: str, args: HostRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:HostRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        rights = pulumi.Output.all(
            bucket_arn=args.bucket_arn,
            key_arn=args.key_arn,
            log_group_arn=args.log_group_arn,
            secret_arn=args.secret_arn,
            repository_arn=args.repository_arn,
        ).apply(
            lambda known: host_document(
                HostPlaces(
                    account_id=args.account_id,
                    region=args.region,
                    stack=args.stack,
                    namespace=args.namespace,
                    groups=args.group_names,
                    **known,
                )
            )
        )
        boundary = aws.iam.Policy(
            f"{name}-boundary",
            name=f"{args.role_name}-most",
            description="The most that the training machine may ever do",
            policy=rights,
            tags=args.tags,
            opts=child,
        )
        role = aws.iam.Role(
            f"{name}-role",
            name=args.role_name,
            description="The training machine: its data, its runs, its records, its own end",
            assume_role_policy=trust_document("ec2.amazonaws.com"),
            permissions_boundary=boundary.arn,
            tags=args.tags,
            opts=child,
        )
        policy = aws.iam.RolePolicy(f"{name}-rights", role=role.id, policy=rights, opts=child)
        profile = aws.iam.InstanceProfile(
            f"{name}-profile",
            name=args.role_name,
            role=role.name,
            tags=args.tags,
            # A machine that starts before its rights are there would fail at its first read.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.role_arn: pulumi.Output[str] = role.arn
        self.profile_arn: pulumi.Output[str] = profile.arn
        self.boundary_arn: pulumi.Output[str] = boundary.arn
        self.register_outputs({"roleArn": self.role_arn, "profileArn": self.profile_arn})
