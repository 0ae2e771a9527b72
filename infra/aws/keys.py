"""The stack's own key, by which all that it stores is encrypted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.key_policy import key_document

ROTATION_DAYS = 365
DELETION_DAYS = 7
"""The shortest that KMS knows; a key that waits for its end costs nothing and can be called back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyArgs:
    """What a `Key` is made from."""

    account_id: str
    region: str
    alias: str
    """Without `alias/`."""
    log_group_names: Sequence[str]
    """Groups that it encrypts."""
    spot: bool
    """Whether machines come from the spot market."""
    keep: bool
    """Whether it outlives the stack, as it must where the bucket does: what it encrypted would be lost with it."""
    tags: Mapping[str, pulumi.Input[str]]
    existing_id: str | None = None
    """The key of a bucket that is there already (`infra.aws.kept`): taken up, if the stack has it not yet."""


class Key(pulumi.ComponentResource):
    """A symmetric key that rotates every year."""

    def __init__(self, name: str, args: KeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:Key", name, None, opts)
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        key = aws.kms.Key(
            f"{name}-key",
            description=f"sonarstack: all that {args.alias} stores",
            enable_key_rotation=True,
            rotation_period_in_days=ROTATION_DAYS,
            deletion_window_in_days=DELETION_DAYS,
            multi_region=False,
            tags=args.tags,
            opts=pulumi.ResourceOptions.merge(kept, taken_up(args.existing_id)),
        )
        # Apart from the key, so that it follows the settings even where the key was taken up.
        policy = aws.kms.KeyPolicy(
            f"{name}-policy",
            key_id=key.key_id,
            policy=key_document(
                args.account_id, args.region, log_groups=args.log_group_names, spot=args.spot
            ),
            opts=kept,
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{args.alias}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        # Nothing can be encrypted for a service before the policy lets it.
        self.key_arn: pulumi.Output[str] = pulumi.Output.all(key.arn, policy.key_id).apply(lambda of: of[0])
        self.register_outputs({"keyArn": self.key_arn})


def taken_up(identifier: str | None) -> pulumi.ResourceOptions:
    """Options of a resource that an earlier stack may have left: an import where the state does not have it.

    An import fails where what is there differs from what is declared, so what may differ is left as it is there. Once
    the state has it, Pulumi takes the same identifier for no import.
    """
    if identifier is None:
        return pulumi.ResourceOptions()
    return pulumi.ResourceOptions(import_=identifier, ignore_changes=["tags", "tagsAll", "forceDestroy"])
