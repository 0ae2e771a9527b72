"""Machines: none without an end, none that gives its rights to whoever can make it ask."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from stacks.policy.aws.marks import GROUP, TEMPLATE, machine_tags, tags_of
from stacks.policy.subject import UNKNOWN, Rule, Subject, is_hidden, parts

LEASE = "sonarstack:lease-until"
"""As infra/naming.py writes it on AWS."""
RENTED = (
    GROUP, "ec2/instance", "ec2/spotInstanceRequest", "ec2/fleet", "ec2/spotFleetRequest", "sagemaker/notebookInstance",
)  # fmt: skip
"""Kinds that rent machines by themselves."""
WITH_METADATA = (TEMPLATE, "ec2/instance", "ec2/spotInstanceRequest", "ec2/launchConfiguration")


def _lease(subject: Subject) -> Iterator[str]:
    whose: dict[str, Mapping[str, Any] | None] = {}
    if subject.kind in RENTED:
        whose["it"] = tags_of(subject)
    elif subject.kind == TEMPLATE:
        whose = {f"its {what}": marks for what, marks in machine_tags(subject).items()}
    for who, marks in whose.items():
        if marks is None or marks.get(LEASE) is UNKNOWN:
            continue
        until = marks.get(LEASE)
        if not until:
            yield f"{who} has no tag {LEASE}, and would live until somebody looks; give it the Lease's leaseUntil"
        elif not is_moment(until):
            yield f"{who} has {LEASE}={until}, which is no moment; give it the Lease's leaseUntil"


def is_moment(value: Any) -> bool:
    """Such as 2026-11-28T12:00:00Z."""
    try:
        return datetime.fromisoformat(str(value)).tzinfo is not None
    except ValueError:
        return False


def _metadata(subject: Subject) -> Iterator[str]:
    if subject.kind not in WITH_METADATA:
        return
    value = subject.inputs.get("metadataOptions")
    if is_hidden(value):
        return
    options = next(parts(value), {})
    if options.get("httpEndpoint") == "disabled" or options.get("httpTokens") in ("required", UNKNOWN):
        return
    yield (
        "its metadata answers without a token (IMDSv1), so that whatever fetches addresses there hands out the "
        "machine's rights; set metadataOptions httpTokens=required"
    )


LEASE_ON_MACHINES = Rule(
    name="lease-on-machines",
    description="Whatever rents a machine says until when.",
    one=_lease,
)
METADATA_BY_TOKEN = Rule(
    name="metadata-by-token",
    description="Machines tell their metadata by token only (IMDSv2).",
    one=_metadata,
)
