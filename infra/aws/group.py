"""The group that holds the one machine: its name is known before anything of it exists, so that its end can be too."""

import json

from infra.aws.names import partition
from infra.naming import resource_name

DIGEST_LETTERS = 8
SIZE_OF_NONE = {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}


def group_name(stamp: str, job_digest: str) -> str:
    """Another job is another group: what was rented for one is never taken for the other."""
    return resource_name("aws", stamp, "host", job_digest[:DIGEST_LETTERS])


def group_names(stamp: str) -> str:
    """Pattern of the names of a stack's groups, whatever their jobs are; a name that had to be cut keeps this start."""
    return f"{group_name(stamp, '0' * DIGEST_LETTERS)[:-DIGEST_LETTERS]}*"


def group_arn(account_id: str, region: str, name: str) -> str:
    """The middle part is an id that AWS chooses; a name is unique in its region, so this is one group.

    Source: service authorization reference, Amazon EC2 Auto Scaling, resource types.
    """
    return f"arn:{partition(region)}:autoscaling:{region}:{account_id}:autoScalingGroup:*:autoScalingGroupName/{name}"


def end_request(name: str) -> str:
    """Input of `UpdateAutoScalingGroup` that ends the group's machine and rents no other, as JSON."""
    return json.dumps({"AutoScalingGroupName": name, **SIZE_OF_NONE})


def end_words(name: str, region: str) -> tuple[str, ...]:
    """The same for the command line of AWS."""
    return (
        "aws", "autoscaling", "update-auto-scaling-group", "--region", region, "--auto-scaling-group-name", name,
        "--min-size", "0", "--max-size", "0", "--desired-capacity", "0",
    )  # fmt: skip


def on_demand_words(name: str, region: str) -> tuple[str, ...]:
    """Has the group's next machine rented on demand."""
    policy = json.dumps({"InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 100}})
    return (
        "aws", "autoscaling", "update-auto-scaling-group", "--region", region, "--auto-scaling-group-name", name,
        "--mixed-instances-policy", policy,
    )  # fmt: skip
