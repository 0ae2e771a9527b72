"""Machines: none without an end, none that gives its rights to whoever can make it ask."""

from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy import mistakes
from stacks.policy.aws.marks import GROUP, TEMPLATE, machine_tags, tags_of
from stacks.policy.marks import LEASE, lease_trouble
from stacks.policy.subject import UNKNOWN, Subject, is_hidden, parts

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
        trouble = lease_trouble(who, marks.get(LEASE))
        if trouble is not None:
            yield trouble


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


LEASE_ON_MACHINES = mistakes.LEASE_ON_MACHINES(one=_lease)
RIGHTS_BY_TOKEN = mistakes.RIGHTS_BY_TOKEN(one=_metadata)
