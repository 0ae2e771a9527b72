"""The public address that we are seen under, to which the storage opens itself: so that `down` can fetch the run.

The storage firewall takes public IPv4 addresses and blocks up to /30 only. Source: learn.microsoft.com,
azure/storage/common/storage-network-security-limitations (2026-11).
"""

import ipaddress
import os

import httpx

from infra.azure.errors import AzureError

SERVICE = "https://api.ipify.org"
"""Answers the caller's address as plain text."""
SERVICE_VARIABLE = "SONARSTACK_ADDRESS_SERVICE"
VARIABLE = "SONARSTACK_CALLER_ADDRESS"
TIMEOUT = httpx.Timeout(5.0)
SMALLEST_BLOCK, WIDEST_BLOCK = 30, 16
ANSWER_BYTES = 64


def caller_address(setting: str | None = None) -> str:
    """The setting, else the variable's, else what an address service sees.

    Args:
        setting: an address, or a block such as 203.0.113.0/28 where one's own changes.

    Raises:
        AzureError: it is no public IPv4 address, or nobody tells.
    """
    told = setting or os.environ.get(VARIABLE)
    if told:
        return _checked(told, f"the address {told!r}")
    service = os.environ.get(SERVICE_VARIABLE) or SERVICE
    advice = f"set {VARIABLE} to the public IPv4 address that you are seen under"
    try:
        with httpx.Client(timeout=TIMEOUT) as client:
            answer = client.get(service).raise_for_status().text[:ANSWER_BYTES].strip()
    except httpx.HTTPError as error:
        raise AzureError(
            f"{service} does not tell your public address ({type(error).__name__}), to which the storage is to open; "
            f"{advice}"
        ) from error
    return _checked(answer, f"{service}'s answer {answer!r}")


def _checked(text: str, what: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise AzureError(
            f"{what} is no IPv4 address or block, which is all that Azure's storage firewall takes; set {VARIABLE}"
        ) from error
    if network.prefixlen < WIDEST_BLOCK:
        raise AzureError(
            f"{what} opens the storage to {network.num_addresses} addresses; name /{WIDEST_BLOCK} at most"
        )
    if not network.is_global or network.is_multicast or network.is_reserved:
        raise AzureError(
            f"{what} is not public; set {VARIABLE} to the address that the world sees you under, such as 198.51.100.7"
        )
    if SMALLEST_BLOCK < network.prefixlen < network.max_prefixlen:
        raise AzureError(
            f"{what} is a block that Azure's storage firewall refuses; name /{SMALLEST_BLOCK} or larger, or one address"
        )
    one = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if one else str(network)
