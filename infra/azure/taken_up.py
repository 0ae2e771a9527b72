"""What an earlier stack left on purpose, and this one takes up."""

from collections.abc import Set as AbstractSet

import pulumi

NOTHING: frozenset[str] = frozenset()


def taken_up(identifier: str, there: AbstractSet[str], *as_it_is: str) -> pulumi.ResourceOptions:
    """Options of a resource that may be there: an import where it is and the state does not have it.

    Pulumi's import fails where what is there differs from what is declared, in what Azure filled in as well, so
    that `as_it_is`, the inputs by their names on the wire, stay as they are there. Once the state has it, Pulumi
    takes the same identifier for no import.

    Args:
        identifier: ARM id.
        there: ids of what is there, in small letters (Azure tells ids in any case).
    """
    if identifier.lower() not in there:
        return pulumi.ResourceOptions()
    return pulumi.ResourceOptions(import_=identifier, ignore_changes=list(as_it_is))
