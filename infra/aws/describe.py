"""What matters about each resource of the AWS target, in words: what is open, what is encrypted, who may do what."""

import json
from collections.abc import Mapping
from typing import Any

Facts = list[str]
UNKNOWN = "[known only after up]"


def describe(token: str, inputs: Mapping[str, Any]) -> Facts:
    """Facts of one resource; empty for a type that has none worth a line."""
    tell = _TELLERS.get(token)
    return tell(inputs) if tell else []


def _vpc(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('cidrBlock')}, the stack's own"]


def _subnet(inputs: Mapping[str, Any]) -> Facts:
    return [
        f"{inputs.get('cidrBlock')} in {inputs.get('availabilityZone')}; gives nobody a public address by itself"
    ]


def _default_group(inputs: Mapping[str, Any]) -> Facts:
    return ["nothing in, nothing out"] if not inputs.get("ingress") and not inputs.get("egress") else ["open"]


def _way(direction: str) -> Any:
    def tell(inputs: Mapping[str, Any]) -> Facts:
        other = inputs.get("cidrIpv4") or inputs.get("cidrIpv6")
        if other is None:
            other = "S3" if "prefixListId" in inputs else "one security group"
        ports = f"{inputs.get('fromPort', 0):g}" if "fromPort" in inputs else "every port"
        return [f"{direction} {other}: {inputs.get('ipProtocol')} {ports}"]

    return tell


def _endpoint(inputs: Mapping[str, Any]) -> Facts:
    service = str(inputs.get("serviceName")).partition("amazonaws.")[2].partition(".")[2]
    if inputs.get("vpcEndpointType") == "Gateway":
        return [f"to {service}, free of charge", "this stack's bucket, image layers and agent packages only"]
    return [f"to {service}, about $0.01 an hour and zone", "identities of this account only"]


def _flow_log(inputs: Mapping[str, Any]) -> Facts:
    return [f"{str(inputs.get('trafficType')).lower()} flows, into an encrypted log group"]


def _key(inputs: Mapping[str, Any]) -> Facts:
    return [f"rotates every {inputs.get('rotationPeriodInDays', 365):g} days", "$1 a month"]


def _bucket(inputs: Mapping[str, Any]) -> Facts:
    gone = inputs.get("forceDestroy")
    return [str(inputs.get("bucket")), f"destroy {'removes it with all it holds' if gone else 'leaves it'}"]


def _bucket_closed(inputs: Mapping[str, Any]) -> Facts:
    locks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return ["never public" if all(inputs.get(lock) for lock in locks) else "may be made public"]


def _bucket_encryption(inputs: Mapping[str, Any]) -> Facts:
    defaults = [rule.get("applyServerSideEncryptionByDefault") or {} for rule in inputs.get("rules") or []]
    return [_encrypted(one, "kmsMasterKeyId") for one in defaults]


def _bucket_policy(inputs: Mapping[str, Any]) -> Facts:
    refusals = [str(one.get("Sid")) for one in _document(inputs.get("policy"))]
    return [f"refuses: {', '.join(refusals)}"] if refusals else []


def _lifecycle(inputs: Mapping[str, Any]) -> Facts:
    facts = []
    for rule in inputs.get("rules") or []:
        old = (rule.get("noncurrentVersionExpiration") or {}).get("noncurrentDays")
        left = (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
        facts.append(f"old versions go after {old:g} days, unfinished uploads after {left:g}")
    return facts


def _log_group(inputs: Mapping[str, Any]) -> Facts:
    kept = f"kept {inputs.get('retentionInDays', 0):g} days"
    return [f"{inputs.get('name')}, {_encrypted(inputs, 'kmsKeyId')}, {kept}"]


def _alarm(inputs: Mapping[str, Any]) -> Facts:
    acts = "" if inputs.get("alarmActions") else "; only shows"
    return [f"{inputs.get('alarmDescription')}{acts}"]


def _dashboard(inputs: Mapping[str, Any]) -> Facts:
    return [f"{inputs.get('dashboardName')}; $3 a month beyond an account's first three"]


def _secret(inputs: Mapping[str, Any]) -> Facts:
    return [f"{_encrypted(inputs, 'kmsKeyId')}; $0.40 a month"]


def _readers(inputs: Mapping[str, Any]) -> Facts:
    names = [
        str(arn).rpartition("/")[2]
        for one in _document(inputs.get("policy"))
        for arn in one.get("Condition", {}).get("ArnNotEquals", {}).get("aws:PrincipalArn", ())
    ]
    return [f"read by {', '.join(dict.fromkeys(names))}, by nobody else"] if names else []


def _repository(inputs: Mapping[str, Any]) -> Facts:
    encryption = (inputs.get("encryptionConfigurations") or [{}])[0]
    scanned = (inputs.get("imageScanningConfiguration") or {}).get("scanOnPush")
    return [
        _encrypted(encryption, "kmsKey"),
        "scanned on push" if scanned else "not scanned",
        "a tag stays with its image" if inputs.get("imageTagMutability") == "IMMUTABLE" else "tags may move",
    ]


def _encrypted(inputs: Mapping[str, Any], key: str) -> str:
    return "encrypted by the stack's key" if inputs.get(key) else "NOT encrypted by the stack's key"


def _role(inputs: Mapping[str, Any]) -> Facts:
    trust = _document(inputs.get("assumeRolePolicy"))
    services = [one.get("Principal", {}).get("Service") for one in trust]
    return [f"taken by {', '.join(map(str, services)) or 'a service'}" + _bounded(inputs)]


def _bounded(inputs: Mapping[str, Any]) -> str:
    return ", within a boundary" if inputs.get("permissionsBoundary") else ""


def _rights(inputs: Mapping[str, Any]) -> Facts:
    return [
        f"{one.get('Sid', one.get('Effect'))}: {', '.join(_listed(one.get('Action')))}"
        for one in _document(inputs.get("policy"))
    ]


def _template(inputs: Mapping[str, Any]) -> Facts:
    metadata = inputs.get("metadataOptions") or {}
    disks = [one.get("ebs") or {} for one in inputs.get("blockDeviceMappings") or []]
    facts = [
        f"{disk.get('volumeSize', 0):g} GiB {disk.get('volumeType')}"
        + (", encrypted" if str(disk.get("encrypted")).lower() == "true" else ", NOT encrypted")
        for disk in disks
    ]
    facts.append("metadata by token only" if metadata.get("httpTokens") == "required" else "IMDSv1 is open")
    if not inputs.get("keyName"):
        facts.append("no SSH key; sessions by Systems Manager")
    if inputs.get("instanceInitiatedShutdownBehavior") == "terminate":
        facts.append("power-off ends it, and its disk")
    return facts


def _group(inputs: Mapping[str, Any]) -> Facts:
    policy = inputs.get("mixedInstancesPolicy") or {}
    spread = policy.get("instancesDistribution") or {}
    overrides = (policy.get("launchTemplate") or {}).get("overrides") or []
    types = ", ".join(str(one.get("instanceType")) for one in overrides)
    bid = spread.get("spotMaxPrice")
    return [
        f"at most {inputs.get('maxSize', 0):g} machine: {types}, in this order",
        f"spot, at most ${bid} an hour" if bid else "on demand",
    ]


def _schedule(inputs: Mapping[str, Any]) -> Facts:
    target = inputs.get("target") or {}
    ends = (
        "ends the group" if str(target.get("arn")).endswith("updateAutoScalingGroup") else "calls a service"
    )
    when = str(inputs.get("scheduleExpression"))
    return [f"{ends}: {'at the lease' if when == UNKNOWN else when}"]


def _budget(inputs: Mapping[str, Any]) -> Facts:
    return [f"writes a mail near ${inputs.get('limitAmount')} a month; hours late"]


def _document(text: Any) -> list[Mapping[str, Any]]:
    """Statements of a policy; none where it is known only later."""
    if not isinstance(text, str) or text == UNKNOWN:
        return []
    return list(json.loads(text)["Statement"])


def _listed(actions: Any) -> list[str]:
    return [actions] if isinstance(actions, str) else list(actions or ())


_TELLERS = {
    "aws:ec2/vpc:Vpc": _vpc,
    "aws:ec2/subnet:Subnet": _subnet,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _default_group,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _way("out to"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _way("in from"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ec2/flowLog:FlowLog": _flow_log,
    "aws:kms/key:Key": _key,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _bucket_closed,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _bucket_encryption,
    "aws:s3/bucketPolicy:BucketPolicy": _bucket_policy,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _lifecycle,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cloudwatch/dashboard:Dashboard": _dashboard,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:secretsmanager/secretPolicy:SecretPolicy": _readers,
    "aws:ecr/repository:Repository": _repository,
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _rights,
    "aws:ec2/launchTemplate:LaunchTemplate": _template,
    "aws:autoscaling/group:Group": _group,
    "aws:scheduler/schedule:Schedule": _schedule,
    "aws:budgets/budget:Budget": _budget,
}
