"""A short-lived log-in to an Azure container registry, for a token of Azure Resource Manager.

Source: Azure Container Registry, AAD authentication: POST /oauth2/exchange, api-version 2021-07-01, 2026-11.
"""

import httpx

from infra.azure.answers import words_of
from infra.azure.errors import AccountError, AzureError

USER = "00000000-0000-0000-0000-000000000000"
"""Whose password a registry's token is."""
TIMEOUT_S = 20.0


def registry_token(login_server: str, arm_token: str, *, address: str | None = None) -> str:
    """A token that a registry takes as the password of `USER`, good for three hours.

    Args:
        login_server: such as NAME.azurecr.io.
        arm_token: whose roles at the registry are used.
        address: where the exchange is, if not at https://LOGIN_SERVER.

    Raises:
        AccountError: the registry knows the bearer not, or lets it do nothing.
        AzureError: it does not answer, or not as a registry does.
    """
    where = address or f"https://{login_server}"
    form = {"grant_type": "access_token", "service": login_server, "access_token": arm_token}
    try:
        answer = httpx.post(
            f"{where}/oauth2/exchange", params={"api-version": "2021-07-01"}, data=form, timeout=TIMEOUT_S
        )
    except httpx.HTTPError as error:
        raise AzureError(
            f"registry {login_server} does not answer ({type(error).__name__}); check the network, and that its "
            "firewall has your address"
        ) from None
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise AccountError(
            f"registry {login_server} does not take your log-in ({answer.status_code}); add the role AcrPush on it, "
            "and in the private profile your address to its firewall"
        )
    if answer.status_code != httpx.codes.OK:
        code, message = words_of(answer)
        raise AzureError(f"registry {login_server} gives no token ({answer.status_code} {code}): {message}")
    try:
        token = answer.json()["refresh_token"]
    except (ValueError, KeyError, TypeError):
        raise AzureError(f"registry {login_server} gives no token: its answer has no refresh_token") from None
    return str(token)
