"""Rights are spelt out: what may be done, on what of the stack."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stacks.policy import mistakes
from stacks.policy.azure.inside import listed, within
from stacks.policy.subject import Subject

ROLE, ASSIGNMENT, VAULT, VAULT_RIGHTS = (
    "authorization/RoleDefinition", "authorization/RoleAssignment", "keyvault/Vault", "keyvault/AccessPolicy",
)  # fmt: skip
POWERFUL = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
"""Roles of Azure's own with everything in them, or the right to give it. Source: MicrosoftDocs/azure-docs,
role-based-access-control/built-in-roles; the same in every subscription."""
WIDE = re.compile(
    r"/?(subscriptions/[^/]+|providers/Microsoft\.Management/managementGroups/[^/]+)?/?", re.IGNORECASE
)
"""Scopes that hold more than one group of resources."""


def _one(subject: Subject) -> Iterator[str]:
    inputs = subject.inputs
    if subject.kind == ROLE:
        for permission in listed(inputs, "permissions"):
            for key in ("actions", "dataActions"):
                wild = [one for one in _words(permission.get(key)) if "*" in one]
                if wild:
                    yield f"{key} {', '.join(wild)} is a wildcard; name the actions one by one"
        for scope in _words(inputs.get("assignableScopes")):
            yield from _of_scope("assignableScopes", scope)
    elif subject.kind == ASSIGNMENT:
        role = str(inputs.get("roleDefinitionId", "")).rpartition("/")[2].lower()
        if role in POWERFUL:
            yield f"role {POWERFUL[role]} is a wildcard; give a role with the rights that are needed"
        yield from _of_scope("scope", inputs.get("scope"))
    elif subject.kind == VAULT:
        for policy in listed(inputs, "properties", "accessPolicies"):
            yield from _of_vault(policy)
    elif subject.kind == VAULT_RIGHTS:
        for policy in listed(inputs, "policy"):
            yield from _of_vault(policy)


def _of_scope(key: str, scope: Any) -> Iterator[str]:
    if isinstance(scope, str) and WIDE.fullmatch(scope):
        yield f"{key} {scope or '/'} holds more than the stack; name its resource group, or better the one resource"


def _of_vault(policy: Mapping[str, Any]) -> Iterator[str]:
    for key in ("keys", "secrets", "certificates", "storage"):
        if any(one.lower() == "all" for one in _words(within(policy, "permissions", key))):
            yield f"permissions.{key} all is a wildcard; set enableRbacAuthorization=True and give a role"


def _words(value: Any) -> Sequence[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


NO_WILDCARD_RIGHTS = mistakes.NO_WILDCARD_RIGHTS(one=_one)
