"""A value that only the training machine, and whoever sets it, can read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True, slots=True)
class StackSecretArgs:
    """What a `StackSecret` is made from."""

    secret_name: str
    value: pulumi.Input[str]
    """Kept as a secret in the state."""
    key_arn: pulumi.Input[str]
    readers: Sequence[str]
    """ARNs, or patterns of such, of roles and users that may read it: the machine's role, which need not exist yet, and
    you yourself (`account.Identity.principal_arns`), since Pulumi reads what it wrote."""
    tags: Mapping[str, pulumi.Input[str]]


class StackSecret(pulumi.ComponentResource):
    """A secret, its one version, and the refusal of everybody else in the account."""

    def __init__(self, name: str, args: StackSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """
        Raises:
            ValueError: nobody could read it.
        """
        if not args.readers:
            raise ValueError("readers is empty; name the machine's role, and your own identity")
        super().__init__("sonarstack:aws:StackSecret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            name=args.secret_name,
            description="sonarstack: read by the training machine",
            kms_key_id=args.key_arn,
            # At once: the value is in the stack's settings anyway, and its name is free for the next `up`.
            recovery_window_in_days=0,
            tags=args.tags,
            opts=child,
        )
        policy = aws.secretsmanager.SecretPolicy(
            f"{name}-readers",
            secret_arn=secret.arn,
            policy=secret.arn.apply(lambda arn: readers_document(arn, args.readers)),
            block_public_policy=True,
            opts=child,
        )
        version = aws.secretsmanager.SecretVersion(
            f"{name}-version",
            secret_id=secret.id,
            secret_string=pulumi.Output.secret(args.value),
            # Locked before it holds something.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[policy], additional_secret_outputs=["secretString"]
            ),
        )
        self.secret_arn: pulumi.Output[str] = pulumi.Output.all(secret.arn, version.id).apply(
            lambda of: of[0]
        )
        self.register_outputs({"secretArn": self.secret_arn})


def readers_document(secret_arn: str, readers: Sequence[str]) -> str:
    """Refuses to tell the value to others, whatever their own rights say.

    By condition and not by NotPrincipal, which would have to name the sessions of a role too.
    """
    refusal = {
        "Sid": "NobodyElseReads",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": secret_arn,
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": list(readers)}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [refusal]})
