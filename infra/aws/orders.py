"""What an EC2 machine is told to do: its container, and AWS's own ways as commands. Pure.

The `aws` and `docker` programs, the NVIDIA runtime and the metrics agent are on the Deep Learning AMI (its release
notes, 2026-10).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.aws.group import end_words, on_demand_words
from infra.vm.orders import Orders

METADATA = "http://169.254.169.254/latest"
IDENTITY = (
    f"token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {METADATA}/api/token) && "
    f'curl -sf -H "X-aws-ec2-metadata-token: $token" {METADATA}/meta-data/instance-id'
)
"""IMDSv2. Source: EC2 user guide, instance metadata retrieval."""
AGENT = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
AGENT_SETTINGS = "/etc/sonarstack/cloudwatch.json"
USER = 10001
"""Of our images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostOrders:
    """What one machine of a group is for."""

    group: str
    region: str
    bucket: str
    notes: str
    """Prefix in the bucket of what the machine tells."""
    log_group: str
    log_stream: str
    image: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    lease_until_s: float
    on_demand_after: int | None
    """Interruptions after which the next machine is rented on demand."""


def host_orders(host: HostOrders) -> Orders:
    """The same for the same host."""
    registry = host.image.partition("/")[0]
    notes = f"s3://{host.bucket}/{host.notes}"
    is_ecr = ".dkr.ecr." in registry
    return Orders(
        image=host.image,
        arguments=host.arguments,
        variables={**host.variables, "AWS_DEFAULT_REGION": host.region},
        docker=(
            "--gpus", "all", "--network", "host", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--shm-size", "2g", "--volume", "/var/lib/sonarstack/runs:/runs", "--user", f"{USER}:{USER}",
            "--log-driver", "awslogs", "--log-opt", f"awslogs-region={host.region}",
            "--log-opt", f"awslogs-group={host.log_group}", "--log-opt", f"awslogs-stream={host.log_stream}",
            # A log that cannot be written must not hold up a job.
            "--log-opt", "mode=non-blocking",
        ),
        lease_until_s=host.lease_until_s,
        identity=("sh", "-c", IDENTITY),
        keep=("aws", "s3", "cp", "--region", host.region, "--only-show-errors", "-", f"{notes}/{{name}}"),
        end=(end_words(host.group, host.region),),
        sign_in=(
            "sh",
            "-c",
            f"aws ecr get-login-password --region {host.region} | "
            f"docker login --username AWS --password-stdin {registry}",
        )
        if is_ecr
        else (),
        prepare=(
            ("install", "-d", "-o", str(USER), "-g", str(USER), "/var/lib/sonarstack/runs"),
            (AGENT, "-a", "fetch-config", "-m", "ec2", "-s", "-c", f"file:{AGENT_SETTINGS}"),
        ),
        on_demand=on_demand_words(host.group, host.region),
        on_demand_after=host.on_demand_after,
        count_interruptions=(
            "sh",
            "-c",
            # `ls` of nothing has code 1 and prints nothing: that is none.
            f"aws s3 ls --region {host.region} {notes}/interruptions/ | wc -l",
        ),
    )  # fmt: skip
