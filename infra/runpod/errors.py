"""Runpod's answers that are no success, as errors that say what to do (RFC 9457 problem details).

RunpodError
+-- KeyRefusedError     401, or no key
+-- BalanceError        402
+-- PoolRefusedError    403
+-- MissingError        404
+-- NoCapacityError     400 for lack of stock
+-- RefusedError        400, 422: the request is wrong
|   +-- ConflictError   409
+-- ServiceError        5xx, no answer, or an answer that cannot be read
|   +-- RateLimitError  429 for too long
+-- OfferError          no offer of the catalogue does
+-- BadHostError        a pod that never gets ready
+-- CancelledError      a wait was ended

What each code means: the createPod description of the contract and docs.runpod.io api-reference-v2, read 2026-11.
"""

from infra.errors import InfraError

NO_CAPACITY = (
    "no longer any instances",
    "not enough free",
    "no instances available",
    "does not have the resources",
)
"""There is no code for it: lack of stock is a 400 like any other and is known by its words (an assumption)."""
LONGEST_DETAIL = 600
"""Letters of the service's own words."""


class RunpodError(InfraError):
    """Runpod refuses, or does not answer."""


class KeyRefusedError(RunpodError):
    """401: no key, or a wrong one."""


class BalanceError(RunpodError):
    """402: the account is out of money; no other offer will do."""


class PoolRefusedError(RunpodError):
    """403: this account may not use that pool; another offer may do."""


class NoCapacityError(RunpodError):
    """400 for lack of stock; another offer may do."""


class MissingError(RunpodError):
    """404: there is no such thing, or no more."""


class RefusedError(RunpodError):
    """400, 409, 422: the request itself is wrong; repeating it changes nothing."""


class ConflictError(RefusedError):
    """409: not in this state."""


class ServiceError(RunpodError):
    """5xx, no answer, or one that cannot be read: what was asked may or may not have happened."""


class RateLimitError(ServiceError):
    """429 for longer than we wait: nothing was done."""


class OfferError(RunpodError):
    """No machine of the catalogue is what was wished for; nothing was asked for."""


class BadHostError(RunpodError):
    """A pod that is rented and will not do; given back, another one may."""


class CancelledError(RunpodError):
    """Whoever asked wants no more of it; what was asked for before may or may not have happened."""


def from_answer(status: int, what: str, detail: str) -> RunpodError:
    """The error of an answer.

    Args:
        status: HTTP code, no success.
        what: the request in words, such as 'create pod sonarstack-x'.
        detail: the service's own words, without secrets.
    """
    detail = " ".join(detail.split())
    if len(detail) > LONGEST_DETAIL:
        detail = detail[:LONGEST_DETAIL] + "..."
    said = f"Runpod: {what}: {detail or f'HTTP {status}'}"
    if status == 401:
        return KeyRefusedError(f"{said}; set RUNPOD_API_KEY to a key of the console that is still valid")
    if status == 402:
        return BalanceError(f"{said}; add credit in the console, then run the same command again")
    if status == 403:
        return PoolRefusedError(f"{said}; the key lacks the right, or this account may not use that pool")
    if status == 404:
        return MissingError(said)
    if status == 400 and any(words in detail.lower() for words in NO_CAPACITY):
        return NoCapacityError(f"{said}; other GPUs, data centres or a later hour may do")
    if status == 409:
        return ConflictError(f"{said} (HTTP 409)")
    if status == 410:
        return RefusedError(f"{said}; this address is retired, unset RUNPOD_REST_V2_API_URL")
    if status == 429:
        return RateLimitError(f"{said} (HTTP 429); nothing was done, try again later")
    if status == 408 or status >= 500:
        return ServiceError(f"{said} (HTTP {status}); try again later")
    return RefusedError(f"{said} (HTTP {status})")
