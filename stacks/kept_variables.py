"""Which variables of this shell a timer's runs need, cloud by cloud; a timer has none of its own. Pure.

A Runpod key is kept, since there is no other way to Runpod. AWS and Azure have profiles and log-ins of their own on
this machine: which of them is meant is kept, and no secret of theirs ever.
"""

from collections.abc import Mapping, MutableMapping

KEY = "RUNPOD_API_KEY"
RUNPOD = (KEY, "RUNPOD_REST_V2_API_URL")
AWS = (
    "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL",
)  # fmt: skip
AZURE = (
    "AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CONFIG_DIR",
    "AZURE_CLIENT_CERTIFICATE_PATH",
)  # fmt: skip
NETWORK = (
    "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""A proxy's address may hold a password, so it goes where the key goes."""
NEVER = {
    "AWS_ACCESS_KEY_ID": AWS, "AWS_SECRET_ACCESS_KEY": AWS, "AWS_SESSION_TOKEN": AWS,
    "AZURE_CLIENT_SECRET": AZURE, "AZURE_CLIENT_CERTIFICATE_PASSWORD": AZURE,
}  # fmt: skip
"""Secrets that stay in the shell, and whose cloud they are of."""


def to_keep(shell: Mapping[str, str], kept: Mapping[str, str], *, key: bool) -> dict[str, str]:
    """What is to be kept from now on.

    Args:
        kept: from an earlier time; of a cloud of which the shell says nothing now it stays.
        key: whether the shell's own key may take the place of the kept one; each belongs to its address.
    """
    whose = shell if key and shell.get(KEY) else kept
    found = {name: whose[name] for name in RUNPOD if whose.get(KEY) and whose.get(name)}
    for names in (AWS, AZURE):
        source = shell if any(shell.get(name) for name in names) else kept
        found |= {name: source[name] for name in names if source.get(name)}
    return found | {name: shell[name] for name in NETWORK if shell.get(name)}


def lacking(shell: Mapping[str, str]) -> list[str]:
    """Secrets of this shell that a timer's runs will not have."""
    return [name for name in NEVER if shell.get(name)]


def borrow(shell: MutableMapping[str, str], kept: Mapping[str, str]) -> None:
    """Add what was kept, of each cloud of which the shell says nothing itself: what belongs together is never mixed."""
    if not shell.get(KEY) and kept.get(KEY):
        shell.pop("RUNPOD_REST_V2_API_URL", None)
        shell.update({name: kept[name] for name in RUNPOD if name in kept})
    for names in (AWS, AZURE, NETWORK):
        own = (*names, *(secret for secret, cloud in NEVER.items() if cloud is names))
        if not any(shell.get(name) for name in own):
            shell.update({name: kept[name] for name in names if name in kept})
