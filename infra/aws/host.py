"""The machine: a launch template, and a group of one that tries types and zones in order and replaces what is taken."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

SIZES = ["minSize", "maxSize", "desiredCapacity"]
"""Others set them: the machine itself when its job is over, the timer, the alarm. `up` never rents by them again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostArgs:
    """What a `Host` is made from."""

    group: str
    types: Sequence[str]
    """Tried in this order."""
    market: Literal["spot", "on_demand"]
    max_usd_per_h: float
    """The limit on the spot market."""
    ami: pulumi.Input[str]
    pin_ami: bool
    """Whether the first one stays: "the newest" is another one every week."""
    disk_gib: int
    device_name: str
    """Of the image's root disk."""
    key_arn: pulumi.Input[str]
    profile_arn: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    security_group_id: pulumi.Input[str]
    public_address: bool
    """Whether the machine has one; nothing comes in by it."""
    user_data: pulumi.Input[str]
    tags: Mapping[str, pulumi.Input[str]]
    """Stamp and lease, on the machine and its disks too."""
    after: Sequence[pulumi.Resource]
    """What must be there first: the timer that ends it, what it reads. A component's own `depends_on` does not reach
    what it is made of."""


class Host(pulumi.ComponentResource):
    """At most one machine at any time."""

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:Host", name, None, opts)
        self._name, self._args = name, args
        self.group = self._group(self._template())
        self.group_name = self.group.name
        self.register_outputs({"group": self.group_name})

    def _template(self) -> aws.ec2.LaunchTemplate:
        args = self._args
        return aws.ec2.LaunchTemplate(
            f"{self._name}-template",
            image_id=args.ami,
            instance_type=args.types[0],
            update_default_version=True,
            # With this, a machine that powers itself off is gone, and its disk with it.
            instance_initiated_shutdown_behavior="terminate",
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=args.profile_arn),
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                # The container looks for the notice and its role over one hop more.
                http_put_response_hop_limit=2,
                instance_metadata_tags="disabled",
            ),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=args.device_name,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_type="gp3",
                        volume_size=args.disk_gib,
                        encrypted="true",
                        kms_key_id=args.key_arn,
                        delete_on_termination="true",
                    ),
                )
            ],
            network_interfaces=[
                aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                    security_groups=[args.security_group_id],
                    associate_public_ip_address="true" if args.public_address else "false",
                    delete_on_termination="true",
                )
            ],
            monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),
            user_data=pulumi.Output.from_input(args.user_data).apply(
                lambda text: base64.b64encode(text.encode()).decode()
            ),
            # The group tags nothing but instances by itself.
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=args.tags)
                for kind in ("instance", "volume", "network-interface")
            ],
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=args.after, ignore_changes=["imageId"] if args.pin_ami else None
            ),
        )

    def _group(self, template: aws.ec2.LaunchTemplate) -> aws.autoscaling.Group:
        args = self._args
        return aws.autoscaling.Group(
            f"{self._name}-group",
            name=args.group,
            min_size=0,
            max_size=1,
            desired_capacity=1,
            vpc_zone_identifiers=args.subnet_ids,
            mixed_instances_policy=self._policy(template),
            # It would start the next machine before this one is gone: two that write one run, and two that bill. The
            # program watches the recommendation itself, and saves early.
            capacity_rebalance=False,
            health_check_type="EC2",
            # `up` does not wait for a market: the run's own resource tells how it goes.
            wait_for_capacity_timeout="0",
            force_delete=True,
            tags=[
                aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=False)
                for key, value in args.tags.items()
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.after,
                delete_before_replace=True,
                ignore_changes=[
                    *SIZES,
                    # The machine's own word after too many interruptions.
                    "mixedInstancesPolicy.instancesDistribution.onDemandPercentageAboveBaseCapacity",
                ],
            ),
        )

    def _policy(self, template: aws.ec2.LaunchTemplate) -> aws.autoscaling.GroupMixedInstancesPolicyArgs:
        """One market's machines only, in the order that was wished."""
        args = self._args
        return aws.autoscaling.GroupMixedInstancesPolicyArgs(
            instances_distribution=aws.autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs(
                on_demand_base_capacity=0,
                on_demand_percentage_above_base_capacity=0 if args.market == "spot" else 100,
                on_demand_allocation_strategy="prioritized",
                # Prioritised among the pools with capacity: what is wanted first is still wanted first.
                spot_allocation_strategy="capacity-optimized-prioritized",
                spot_max_price=f"{args.max_usd_per_h:g}" if args.market == "spot" else None,
            ),
            launch_template=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgs(
                launch_template_specification=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs(
                    launch_template_id=template.id,
                    version=template.latest_version.apply(str),
                ),
                overrides=[
                    aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs(instance_type=kind)
                    for kind in args.types
                ],
            ),
        )
