"""The policy pack: `pulumi up --policy-pack stacks/policy`; `python -m stacks up` adds it by itself."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from stacks.policy import aws, azure
from stacks.policy.mistakes import joined
from stacks.policy.subject import UNKNOWN, Rule, Subject


def plain(value: Any) -> Any:
    """Without the SDK's wrappers, which raise at a value that is not known yet."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, number) for number in range(len(value))]
    return value


def _item(of: Any, key: Any) -> Any:
    try:
        return plain(of[key])
    except UnknownValueError:
        return UNKNOWN


def provider_tags(provider: Any) -> Any:
    """The engine gives a provider's nested settings as they are, or as JSON."""
    value = plain(provider.props).get("defaultTags") if provider is not None else None
    if isinstance(value, str):
        value = json.loads(value)
    return value.get("tags") if isinstance(value, Mapping) else value


def subject_of(one: ResourceValidationArgs | PolicyResource) -> Subject:
    """As the rules know it."""
    return Subject(
        urn=one.urn,
        token=one.resource_type,
        name=one.name,
        inputs=plain(one.props),
        after=[other.urn for other in getattr(one, "dependencies", ())],
        provider_tags=provider_tags(one.provider),
    )


def wrapped(rule: Rule) -> list[Any]:
    """The rule as the SDK has it."""
    made: list[Any] = []
    if (one := rule.one) is not None:

        def alone(args: ResourceValidationArgs, report: ReportViolation) -> None:
            for text in one(subject_of(args)):
                report(f"{args.name}: {text}")

        made.append(ResourceValidationPolicy(rule.name, rule.description, alone))
    if (whole := rule.whole) is not None:

        def together(args: StackValidationArgs, report: ReportViolation) -> None:
            for subject, text in whole([subject_of(each) for each in args.resources]):
                report(f"{subject.name}: {text}", subject.urn)

        made.append(StackValidationPolicy(f"{rule.name}-whole", rule.description, together))
    return made


PolicyPack(
    name="sonarstack",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[policy for rule in joined((aws.RULES, azure.RULES)) for policy in wrapped(rule)],
)
