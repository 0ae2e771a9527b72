"""Who talked to whom in the network, written down where only this account reads it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.names import log_group_arn, partition
from infra.aws.policies import for_own_account, trust_document

RETENTION_DAYS = 30
WINDOW_S = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowLogsArgs:
    """What `FlowLogs` are made from."""

    account_id: str
    region: str
    vpc_id: pulumi.Input[str]
    log_group_name: str
    """Among those that the key's policy names."""
    key_arn: pulumi.Input[str]
    boundary_arn: pulumi.Input[str] | None
    tags: Mapping[str, pulumi.Input[str]]


class FlowLogs(pulumi.ComponentResource):
    """Every accepted and refused flow, in an encrypted group."""

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sonarstack:aws:FlowLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            f"{name}-records",
            name=args.log_group_name,
            kms_key_id=args.key_arn,
            retention_in_days=RETENTION_DAYS,
            tags=args.tags,
            opts=child,
        )
        flows = f"arn:{partition(args.region)}:ec2:{args.region}:{args.account_id}:vpc-flow-log/*"
        role = aws.iam.Role(
            f"{name}-role",
            description="Writes one network's flow records",
            assume_role_policy=trust_document(
                "vpc-flow-logs.amazonaws.com", for_own_account(args.account_id, flows)
            ),
            permissions_boundary=args.boundary_arn,
            tags=args.tags,
            opts=child,
        )
        rights = aws.iam.RolePolicy(
            f"{name}-rights",
            role=role.id,
            policy=write_document(log_group_arn(args.account_id, args.region, args.log_group_name)),
            opts=child,
        )
        aws.ec2.FlowLog(
            f"{name}-flows",
            vpc_id=args.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=WINDOW_S,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )
        self.register_outputs({})


def write_document(group_arn: str) -> str:
    """To write into the one group. VPC's documentation asks for more (CreateLogGroup, DescribeLogGroups on `*`), for
    groups that are not there yet; this one is."""
    rights = {
        "Sid": "WriteFlows",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        "Resource": [group_arn, f"{group_arn}:log-stream:*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [rights]})
