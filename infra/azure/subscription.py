"""What a subscription must have switched on, and what image its machines start from."""

from infra.azure.arm import Arm
from infra.azure.errors import AzureError

PROVIDERS, FEATURES, IMAGES = "2021-04-01", "2021-07-01", "2024-07-01"
"""Versions of the APIs. Source: learn.microsoft.com, rest/api, 2026-11."""
NEEDED = (
    "Microsoft.Compute", "Microsoft.ContainerRegistry", "Microsoft.DevTestLab", "Microsoft.Insights",
    "Microsoft.KeyVault", "Microsoft.Logic", "Microsoft.ManagedIdentity", "Microsoft.Network",
    "Microsoft.OperationalInsights", "Microsoft.Storage",
)  # fmt: skip
"""Providers of what the stack is made of; a new subscription has few of them."""
PUBLISHER, OFFER, SKU = "microsoft-dsvm", "ubuntu-hpc", "2204"
"""Azure's HPC image: NVIDIA driver, Docker and NVIDIA's runtime are on it."""


def require_providers(arm: Arm, subscription_id: str) -> None:
    """Nothing can be made of a provider that is not registered.

    Raises:
        AzureError: one or more are not; with the command.
    """
    path = f"/subscriptions/{subscription_id}/providers"
    states = {
        str(row["namespace"]).lower(): str(row.get("registrationState"))
        for row in arm.items(path, PROVIDERS, "the subscription's providers")
    }
    missing = [name for name in NEEDED if states.get(name.lower()) not in ("Registered", "Registering")]
    if missing:
        commands = " && ".join(f"az provider register --wait --namespace {name}" for name in missing)
        raise AzureError(f"not registered in your subscription: {', '.join(missing)}; run `{commands}`")


def has_host_encryption(arm: Arm, subscription_id: str) -> bool:
    """Whether its machines can be encrypted at their host, the temporary disk and caches with it.

    Raises:
        AzureError: Azure does not tell.
    """
    path = (
        f"/subscriptions/{subscription_id}/providers/Microsoft.Features/providers/Microsoft.Compute/features/"
        "EncryptionAtHost"
    )
    told = arm.find(path, FEATURES, "encryption at host")
    return told is not None and (told.get("properties") or {}).get("state") == "Registered"


HOST_ENCRYPTION_ADVICE = (
    "no encryption at host in your subscription, so that the machine's temporary disk has Azure's own encryption only; "
    "`az feature register --namespace Microsoft.Compute --name EncryptionAtHost`, and once it is Registered "
    "`az provider register --namespace Microsoft.Compute`, gives it"
)


def newest_image(arm: Arm, subscription_id: str, location: str) -> str:
    """Version of the HPC image that a machine is pinned to.

    Raises:
        AzureError: the place has none, or Azure does not tell.
    """
    path = (
        f"/subscriptions/{subscription_id}/providers/Microsoft.Compute/locations/{location}/publishers/{PUBLISHER}"
        f"/artifacttypes/vmimage/offers/{OFFER}/skus/{SKU}/versions"
    )
    names = [str(row["name"]) for row in arm.items(path, IMAGES, f"images in {location}")]
    if not names:
        raise AzureError(
            f"{location} has no image {PUBLISHER}:{OFFER}:{SKU}; take another sonarstack:location"
        )
    return max(names, key=_by_number)


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isascii() and part.isdigit() else -1 for part in version.split("."))
