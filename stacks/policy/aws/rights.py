"""Rights are spelt out: what may be done, on what, by whom."""

from collections.abc import Iterator
from typing import Any

from stacks.policy import mistakes
from stacks.policy.aws.documents import Statement, is_anyone, statements, words
from stacks.policy.subject import Subject, parts

ON_EVERYTHING = {
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""Actions for which AWS knows no narrower resource than `*`; infra/aws/policies.py says of each why."""
DOORS = "ec2/vpcEndpoint"
"""Its policy is a ceiling over rights given elsewhere: it may name everybody and every resource of a service."""
OWN_RESOURCE = ("kms/key", "kms/keyPolicy")
"""In their documents `*` is the key itself."""
POWERFUL = ("AdministratorAccess", "PowerUserAccess", "FullAccess")
"""Ends of the names of policies that AWS keeps, with wildcards in them."""


def _one(subject: Subject) -> Iterator[str]:
    inputs = subject.inputs
    for key in ("policy", "assumeRolePolicy", "resourcePolicy"):
        for statement in statements(inputs.get(key)):
            yield from _of_statement(subject, key, statement)
    for inline in parts(inputs.get("inlinePolicies")):
        for statement in statements(inline.get("policy")):
            yield from _of_statement(subject, "inlinePolicies", statement)
    for arn in (inputs.get("policyArn"), *_list(inputs.get("managedPolicyArns"))):
        if isinstance(arn, str) and arn.endswith(POWERFUL):
            yield f"{arn.rpartition('/')[2]} has wildcards in it; give the rights that are needed one by one"


def _of_statement(subject: Subject, key: str, statement: Statement) -> Iterator[str]:
    if statement.get("Effect") != "Allow":
        return
    where = f"{key}, statement {statement.get('Sid') or 'without Sid'}"
    actions = words(statement.get("Action"))
    for word in ("NotAction", "NotResource"):
        if word in statement:
            yield f"{where}: {word} with Allow means all but a few; name what is allowed"
    wild = [action for action in actions if "*" in action or "?" in action]
    if wild:
        yield f"{where}: action {', '.join(wild)} is a wildcard; name the actions one by one"
    if subject.kind == DOORS:
        return
    if is_anyone(statement) and not statement.get("Condition"):
        yield f"{where}: it is for everybody, without a condition; name the role or the account"
    if subject.kind in OWN_RESOURCE:
        return
    wide = [one for one in words(statement.get("Resource")) if is_wide(one)]
    bound = [action for action in actions if action not in ON_EVERYTHING and action not in wild]
    if wide and bound:
        yield (
            f"{where}: {', '.join(bound)} on {', '.join(wide)}; name the resources (what AWS takes on nothing "
            "narrower stands in stacks/policy/aws/rights.py)"
        )


def is_wide(resource: str) -> bool:
    """Everything, or everything of a service."""
    return resource == "*" or resource.split(":", 5)[-1] in ("*", "*/*")


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


NO_WILDCARD_RIGHTS = mistakes.NO_WILDCARD_RIGHTS(one=_one)
