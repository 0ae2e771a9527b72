"""Who we are on Azure: a token by the user's own log-in, never by a window, and the subscription that pays.

azure-identity takes 0.4 s to import, so that only those who ask Azure something import it.
"""

import base64
import json
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import httpx

from infra.azure.answers import words_of
from infra.azure.errors import AccountError, AzureError

if TYPE_CHECKING:
    from infra.azure.arm import Arm

ADDRESS = "https://management.azure.com"
SUBSCRIPTIONS = "2022-12-01"
PROCESS_S, CONNECT_S, READ_S = 15, 3.0, 10.0
"""Bounds of one way to log in: another program, and the network."""
LOG_IN = "run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
VARIABLES = ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID")
LISTED = 8
EXPIRED = ("ExpiredAuthenticationToken", "InvalidAuthenticationToken", "AuthenticationFailed")
OTHER_TENANT = ("InvalidAuthenticationTokenTenant", "AuthorizationFailedInvalidTenant")


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer, never shown."""

    text: str
    expires_on: float
    """Seconds since 1970, UTC."""

    def __repr__(self) -> str:
        return "Token(...)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who Azure says we are, and whose money it is."""

    tenant_id: str
    object_id: str
    """As role assignments know us."""
    principal_type: Literal["User", "ServicePrincipal"]
    subscription_id: str
    subscription_name: str


def credential() -> Any:
    """The user's own log-in: variables, workload or managed identity, or a command line of Azure's."""
    from azure.identity import DefaultAzureCredential

    # What it tries and misses is told by our own line.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    return DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        exclude_broker_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        process_timeout=PROCESS_S,
        connection_timeout=CONNECT_S,
        read_timeout=READ_S,
        retry_total=1,
    )


def management_token(address: str = ADDRESS) -> Token:
    """A token for Azure Resource Manager at an address.

    Raises:
        AccountError: nobody is logged in, or the log-in has expired.
    """
    try:
        from azure.core.exceptions import ClientAuthenticationError
    except ImportError as error:
        raise AccountError("Azure's log-in is not installed; pip install 'sonarstack[azure]'") from error
    try:
        found = credential().get_token(f"{address}/.default")
    except ClientAuthenticationError as error:
        raise AccountError(f"Azure knows no log-in of yours ({type(error).__name__}); {LOG_IN}") from None
    except ValueError as error:
        # Variables that contradict each other; its text may hold their values.
        raise AccountError(
            f"Azure's variables do not fit together ({type(error).__name__}); {LOG_IN}"
        ) from None
    return Token(text=str(found.token), expires_on=float(found.expires_on))


def who_am_i(arm: "Arm", subscription: str | None = None) -> Caller:
    """The caller by the token's own claims, and the subscription: set, by variable, or the only one there is.

    Args:
        subscription: sonarstack:subscription.

    Raises:
        AzureError: no log-in, no subscription, or several and none chosen.
    """
    claims = claims_of(arm.token())
    chosen = subscription or next((os.environ[name] for name in VARIABLES if os.environ.get(name)), None)
    found = _subscription(arm, chosen) if chosen else _the_only_one(arm)
    if str(found.get("state", "Enabled")) not in ("Enabled", "Warned", "PastDue"):
        raise AccountError(
            f"subscription {found.get('displayName')} is {found.get('state')}; have it enabled, or name another in "
            "sonarstack:subscription"
        )
    return Caller(
        tenant_id=str(claims.get("tid") or found.get("tenantId") or ""),
        object_id=str(claims.get("oid") or ""),
        principal_type="ServicePrincipal" if _is_program(claims) else "User",
        subscription_id=str(found["subscriptionId"]),
        subscription_name=str(found.get("displayName") or ""),
    )


def claims_of(token: str) -> dict[str, Any]:
    """What a token says of its bearer, unchecked: whether it holds is Azure's to say.

    Raises:
        AccountError: it is no token of Microsoft's Entra ID.
    """
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        raise AccountError(f"the token of your log-in names nobody; {LOG_IN}") from None
    if not isinstance(claims, dict) or not claims.get("oid"):
        raise AccountError(f"the token of your log-in names nobody; {LOG_IN}")
    return claims


def refusal(answer: httpx.Response, what: str) -> AzureError:
    """What Azure said no to, as one line; `what` is what was asked for."""
    error = _refusal(answer, what)
    error.status = answer.status_code
    return error


def _is_program(claims: dict[str, Any]) -> bool:
    """`idtyp` is optional; what a user lets a program do on his behalf has a scope, a program of its own has none."""
    return claims.get("idtyp") == "app" or ("idtyp" not in claims and "scp" not in claims)


def _subscription(arm: "Arm", chosen: str) -> dict[str, Any]:
    return arm.get(f"/subscriptions/{chosen}", SUBSCRIPTIONS, f"subscription {chosen}")


def _the_only_one(arm: "Arm") -> dict[str, Any]:
    found = list(arm.items("/subscriptions", SUBSCRIPTIONS, "your subscriptions"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise AccountError(f"your log-in has no subscription of Azure; {LOG_IN} of one that has")
    listed = ", ".join(f"{one.get('displayName')} ({one['subscriptionId']})" for one in found[:LISTED])
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    raise AccountError(
        f"your log-in has {len(found)} subscriptions: {listed}{more}; set sonarstack:subscription, or {VARIABLES[0]}"
    )


def _refusal(answer: httpx.Response, what: str) -> AzureError:
    code, message = words_of(answer)
    status = answer.status_code
    if code in OTHER_TENANT:
        return AccountError(
            f"{what} is of another tenant than your log-in's; run `az login --tenant` with it"
        )
    if code == "SubscriptionNotFound":
        return AccountError(f"there is no such subscription for you ({what}); `az account list` shows yours")
    if status == httpx.codes.UNAUTHORIZED:
        return AccountError(f"your log-in to Azure has expired, or is not known ({code or status}); {LOG_IN}")
    if status == httpx.codes.FORBIDDEN:
        return AccountError(
            f"your identity may not ask Azure for {what} ({code or status}); have that right added to it"
        )
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return AzureError(f"Azure takes no more calls about {what} now (429); try again in some minutes")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return AzureError(f"Azure has a fault of its own about {what} ({status} {code}); try again later")
    return AzureError(f"Azure refuses {what} ({status} {code}): {message}")
