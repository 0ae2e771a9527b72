"""Parts of the AWS target, each declared alone under Pulumi's mocks."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from infra.aws.identity import HostRole, HostRoleArgs
from infra.aws.keys import Key, KeyArgs
from infra.aws.logs import Logs, LogsArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.policies import HostPlaces
from infra.aws.registry import ImageRepository, ImageRepositoryArgs
from infra.aws.secrets import StackSecret, StackSecretArgs
from infra.aws.storage import RunBucket, RunBucketArgs
from stacks.mock_run import Declared
from tests.infra.declared import Components

ACCOUNT, REGION = "123456789012", "us-east-1"
TAGS = {"sonarstack:stamp": "sonarstack-night-abc123"}
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:night-AbCdEf"
GROUP, GROUPS, NAMESPACE = "night-host-1234abcd", "night-host-*", "Sonarstack/night"
LOGS, FLOWS = "/sonarstack/night", "/sonarstack/night/flow"
READERS = (f"arn:aws:iam::{ACCOUNT}:role/night-host", f"arn:aws:iam::{ACCOUNT}:user/me")

PLACES = HostPlaces(
    account_id=ACCOUNT,
    region=REGION,
    stack="night",
    bucket_arn="arn:aws:s3:::night-bucket",
    key_arn=KEY_ARN,
    log_group_arn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{LOGS}",
    namespace=NAMESPACE,
    groups=GROUPS,
    secret_arn=SECRET_ARN,
    repository_arn=f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/night-image",
)
KEY = KeyArgs(
    account_id=ACCOUNT,
    region=REGION,
    alias="night",
    log_group_names=(LOGS, FLOWS),
    spot=True,
    keep=True,
    tags=TAGS,
)
NETWORK = NetworkArgs(
    account_id=ACCOUNT,
    region=REGION,
    zones=("us-east-1a", "us-east-1c"),
    profile="cheap",
    buckets=("night-bucket",),
    key_arn=KEY_ARN,
    flow_log_group_name=FLOWS,
    tags=TAGS,
)
BUCKET = RunBucketArgs(bucket_name="night-bucket", key_arn=KEY_ARN, keep=True, tags=TAGS)
ROLE = HostRoleArgs(
    account_id=ACCOUNT,
    region=REGION,
    stack="night",
    role_name="night-host",
    bucket_arn=PLACES.bucket_arn,
    key_arn=KEY_ARN,
    log_group_arn=PLACES.log_group_arn,
    namespace=NAMESPACE,
    group_names=GROUPS,
    tags=TAGS,
    secret_arn=SECRET_ARN,
    repository_arn=PLACES.repository_arn,
)
WORDS = LogsArgs(
    region=REGION,
    group_name=LOGS,
    retention_days=30,
    key_arn=KEY_ARN,
    namespace=NAMESPACE,
    machine_group=GROUP,
    page_name="night",
    tags=TAGS,
)
IMAGE = ImageRepositoryArgs(repository_name="night-image", key_arn=KEY_ARN, tags=TAGS)
SECRET = StackSecretArgs(
    secret_name="night-secret", value="planted-value", key_arn=KEY_ARN, readers=READERS, tags=TAGS
)

COMPONENTS: dict[str, Callable[[], object]] = {
    "Key": lambda: Key("it", KEY),
    "Network, cheap": lambda: Network("it", NETWORK),
    "Network, private": lambda: Network("it", replace(NETWORK, profile="private")),
    "RunBucket": lambda: RunBucket("it", BUCKET),
    "HostRole": lambda: HostRole("it", ROLE),
    "Logs": lambda: Logs("it", WORDS),
    "ImageRepository": lambda: ImageRepository("it", IMAGE),
    "StackSecret": lambda: StackSecret("it", SECRET),
}

component = Components(COMPONENTS)
"""What the component of `COMPONENTS` declares, by name."""


def documents(declared: Mapping[str, Declared]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy among the inputs, with the name of what it belongs to."""
    for one in declared.values():
        for key in ("policy", "assumeRolePolicy"):
            text = one.inputs.get(key)
            if isinstance(text, str) and '"Statement"' in text:
                yield one.name, json.loads(text)
