"""What AWS lists that carries our mark: groups and machines, which bill by the hour, and everything else by its ARN."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.aws.account import client, explained
from infra.vm.marks import LEASE, STAMP, is_ours, lease_of

__all__ = ["LEASE", "STAMP"]
GROUP_OF_MACHINE = "aws:autoscaling:groupName"
"""EC2 sets it on every machine that a group has rented."""
LIVES = ("pending", "running", "stopping", "stopped", "shutting-down")


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedGroup:
    """A group of at most one machine."""

    name: str
    stamp: str
    lease_until: datetime | None
    """None where its tag is missing or no time."""
    desired: int
    machines: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def bills(self) -> bool:
        """Whether it has a machine, or would rent one."""
        return bool(self.machines) or self.desired > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnedMachine:
    """An instance, whoever started it."""

    id: str
    stamp: str
    lease_until: datetime | None
    group: str
    """Empty where none rented it."""
    type_name: str


def owned_groups(region: str, stamp: str | None = None) -> list[OwnedGroup]:
    """Groups with our mark; of one stack, if a stamp is given.

    Raises:
        AwsError: AWS does not tell.
    """
    scaling = client("autoscaling", region)
    with explained("groups of machines"):
        pages = scaling.get_paginator("describe_auto_scaling_groups").paginate()
        found = [group for page in pages for group in page["AutoScalingGroups"]]
    return [_group(one) for one in found if is_ours(_tags(one.get("Tags", ())), stamp)]


def owned_machines(region: str, stamp: str | None = None) -> list[OwnedMachine]:
    """Instances with our mark that are not gone.

    Raises:
        AwsError: AWS does not tell.
    """
    ec2 = client("ec2", region)
    wanted = [
        {"Name": "tag-key", "Values": [STAMP]},
        {"Name": "instance-state-name", "Values": list(LIVES)},
    ]
    with explained("machines"):
        pages = ec2.get_paginator("describe_instances").paginate(Filters=wanted)
        found = [one for page in pages for row in page["Reservations"] for one in row["Instances"]]
    return [_machine(one) for one in found if is_ours(_tags(one.get("Tags", ())), stamp)]


def owned_arns(region: str, stamp: str) -> list[str]:
    """ARNs of everything that carries a stack's stamp, sorted; AWS's list runs some minutes late.

    Raises:
        AwsError: AWS does not tell.
    """
    tagging = client("resourcegroupstaggingapi", region)
    with explained("what carries the stack's tags"):
        pages = tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": STAMP, "Values": [stamp]}]
        )
        return sorted(row["ResourceARN"] for page in pages for row in page["ResourceTagMappingList"])


def owned_billing_parts(region: str, stamp: str) -> list[str]:
    """Disks and doors of a stack that are there now: what of EC2 bills besides machines, asked of EC2 itself.

    Raises:
        AwsError: AWS does not tell.
    """
    ec2 = client("ec2", region)
    ours = [{"Name": f"tag:{STAMP}", "Values": [stamp]}]
    with explained("disks and endpoints"):
        disks = ec2.get_paginator("describe_volumes").paginate(Filters=ours)
        doors = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=ours)
        found = [f"volume/{one['VolumeId']}" for page in disks for one in page["Volumes"]]
        found += [
            f"vpc-endpoint/{one['VpcEndpointId']}"
            for page in doors
            for one in page["VpcEndpoints"]
            # The gateway to S3 is free of charge.
            if one["VpcEndpointType"] == "Interface" and one["State"].lower() not in ("deleting", "deleted")
        ]
    return found


def _group(one: Mapping[str, Any]) -> OwnedGroup:
    tags = _tags(one.get("Tags", ()))
    machines = [row for row in one["Instances"] if row["LifecycleState"] != "Terminated"]
    return OwnedGroup(
        name=one["AutoScalingGroupName"],
        stamp=tags[STAMP],
        lease_until=lease_of(tags),
        desired=int(one["DesiredCapacity"]),
        machines=tuple(str(row["InstanceId"]) for row in machines),
        types=tuple(sorted({str(row.get("InstanceType") or "") for row in machines} - {""})),
    )


def _machine(one: Mapping[str, Any]) -> OwnedMachine:
    tags = _tags(one.get("Tags", ()))
    return OwnedMachine(
        id=one["InstanceId"],
        stamp=tags[STAMP],
        lease_until=lease_of(tags),
        group=tags.get(GROUP_OF_MACHINE, ""),
        type_name=str(one.get("InstanceType") or ""),
    )


def _tags(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(row["Key"]): str(row["Value"]) for row in rows}


def arns_of_kind(arns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Service and rest of each ARN, for people."""
    for arn in arns:
        parts = arn.split(":", 5)
        yield (parts[2], parts[5]) if len(parts) == 6 else ("", arn)
