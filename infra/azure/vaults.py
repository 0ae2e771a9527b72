"""Names of the stack's vaults. Pure.

A vault's name belongs to the whole world, and after its end stays its own for a week: the next one has another suffix.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from typing import Literal

Kind = Literal["keys", "secrets"]
DIGITS = 10
DELETION_DAYS = 7
"""The shortest that Azure knows; a vault that waits for its end costs nothing and can be called back."""


def fresh_suffix() -> str:
    """Another one at every call."""
    return secrets.token_hex(DIGITS // 2)


def vault_name(kind: Kind, subscription_id: str, stamp: str, suffix: str) -> str:
    """3 to 24 letters, digits and hyphens (naming rules of Microsoft.KeyVault)."""
    digest = hashlib.sha256(f"{subscription_id}\0{stamp}\0{suffix}".encode()).hexdigest()[:DIGITS]
    return f"sonar-{kind}-{digest}"


def standing_vault(kind: Kind, ids: Iterable[str]) -> str | None:
    """Name of the vault of a kind among the ids of what a stack's group holds."""
    form = re.compile(
        rf"/providers/microsoft\.keyvault/vaults/(sonar-{kind}-[0-9a-f]{{{DIGITS}}})$", re.IGNORECASE
    )
    return next((found[1] for found in map(form.search, sorted(ids)) if found), None)
