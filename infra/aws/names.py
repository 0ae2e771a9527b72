"""Names and addresses of a stack's parts on AWS, known before any of them exists. Pure."""

from infra.naming import resource_name

CLOUD = "aws"


def partition(region: str) -> str:
    """The first part of an ARN after `arn:`."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def log_group_name(stamp: str) -> str:
    """Group of the application's and the host's records."""
    return f"/sonarstack/{stamp}"


def flow_log_group_name(stamp: str) -> str:
    """Group of the network's flow records."""
    return f"/sonarstack/{stamp}/flow"


def log_group_arn(account_id: str, region: str, name: str) -> str:
    """Without the `:*` that some services add."""
    return f"arn:{partition(region)}:logs:{region}:{account_id}:log-group:{name}"


def metric_namespace(stamp: str) -> str:
    """Of all the stack's metrics, so that a right to write can name it."""
    return f"Sonarstack/{stamp}"


def bucket_name(account_id: str, region: str, stamp: str) -> str:
    """Bucket names are shared by all accounts of the world."""
    return resource_name(CLOUD, stamp, account_id, region)


def role_name(stamp: str) -> str:
    """Host role; IAM's names are shared by all regions, and 64 characters at most."""
    return resource_name(CLOUD, stamp, "host")


def role_arn(account_id: str, region: str, stamp: str) -> str:
    """Host role's ARN, for policies that are made before the role."""
    return f"arn:{partition(region)}:iam::{account_id}:role/{role_name(stamp)}"


def repository_name(stamp: str) -> str:
    """Image repository."""
    return resource_name(CLOUD, stamp, "image")


def account_name(account_id: str, region: str) -> str:
    """An account at one place, as the journal names it."""
    return f"aws:{account_id}:{region}"
