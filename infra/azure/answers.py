"""What Azure Resource Manager says when it refuses: the code and the words, wherever a service puts them. Pure."""

import httpx

NOT_THERE = (
    "ResourceNotFound", "ResourceGroupNotFound", "NotFound", "ParentResourceNotFound", "RoleAssignmentNotFound",
    "RoleDefinitionDoesNotExist", "DeletedVaultNotFound", "EntityNotFound",
    "ContainerNotFound", "ManagementPolicyNotFound", "KeyNotFound", "",
)  # fmt: skip
"""Codes of a 404 that say what was asked for is no more; SubscriptionNotFound and an unknown path are none of them."""
WORDS = 300


def words_of(answer: httpx.Response) -> tuple[str, str]:
    """Code and message in one line, both empty where the body has none."""
    try:
        content = answer.json()
    except ValueError:
        return "", ""
    error = content.get("error", content) if isinstance(content, dict) else {}
    if not isinstance(error, dict):
        return "", ""
    message = " ".join(str(error.get("message") or "").split())
    return str(error.get("code") or ""), message[:WORDS]
