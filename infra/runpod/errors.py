"""Runpod's answers that are no success, as errors that say what to do (RFC 9457 problem details).

What each code means: the createPod description of the contract and docs.runpod.io api-reference-v2, read 2026-11.
"""

from collections.abc import Iterable

from infra.errors import InfraError

NO_CAPACITY = (
    "no longer any instances",
    "not enough free",
    "no instances available",
    "does not have the resources",
)
"""There is no code for it: lack of stock is a 400 like any other and is known by its words (an assumption)."""


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


class ServiceError(RunpodError):
    """429 for too long, 5xx, or no answer: what was asked may or may not have happened."""


def from_answer(status: int, what: str, detail: str, hidden: Iterable[str]) -> RunpodError:
    """The error of an answer.

    Args:
        status: HTTP code, 400 or more.
        what: the request in words, such as 'create pod sonarstack-x'.
        detail: the service's own words.
        hidden: texts that may not appear, such as the key and the values of `env`.
    """
    for text in sorted(filter(None, hidden), key=len, reverse=True):
        detail = detail.replace(text, "[hidden]")
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
    if status == 429 or status >= 500:
        return ServiceError(f"{said} (HTTP {status}); try again later")
    return RefusedError(f"{said} (HTTP {status})")
