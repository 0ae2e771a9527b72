"""Azure Resource Manager over HTTPS: a few verbs with typed answers, bounded retries, and errors of one line.

Source: learn.microsoft.com, rest/api/azure (paths, `nextLink`) and azure/azure-resource-manager/management/
request-limits-and-throttling (429, Retry-After), 2026-11.
"""

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpx

from infra.azure import account
from infra.azure.answers import NOT_THERE, words_of
from infra.azure.errors import AccountError, AzureError

VARIABLE = "SONARSTACK_ARM_URL"
ADDRESS = "https://management.azure.com"
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
ATTEMPTS = 4
WAIT_AT_MOST_S = 30.0
"""Between two tries, whatever Retry-After says; one that wants more is told."""
PAGES = 200
"""A list that goes on for longer is not what was asked for."""
SOON_S = 300.0
"""A token that ends within this is asked for anew."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
AGAIN = (429, 500, 502, 503, 504)


class Arm:
    """Asks as the user whom `account.credential()` finds; the token is asked for with the first call."""

    def __init__(
        self,
        *,
        address: str | None = None,
        client: httpx.Client | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`address` instead of SONARSTACK_ARM_URL, which is for other clouds of Azure.

        Raises:
            AccountError: an address to which no token may be sent.
        """
        self.address = (address or os.environ.get(VARIABLE) or ADDRESS).rstrip("/")
        self._base = httpx.URL(self.address)
        if self._base.scheme != "https" and self._base.host not in LOOPBACK:
            raise AccountError(f"{VARIABLE}={self.address} is not https; a token is never sent there")
        self._client = client or httpx.Client(timeout=TIMEOUT, verify=_trusted())
        self._pause = pause
        self._token: account.Token | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def token(self) -> str:
        """Bearer of every call.

        Raises:
            AccountError: nobody is logged in.
        """
        if self._token is None or self._token.expires_on - time.time() < SOON_S:
            # A stand-in on loopback gets the token of the public cloud, which is not real there.
            self._token = account.management_token(self.address if self._base.scheme == "https" else ADDRESS)
        return self._token.text

    def get(self, path: str, version: str, what: str, **params: str) -> dict[str, Any]:
        """What lies at a path, such as /subscriptions; `what` names it in errors.

        Raises:
            AzureError: it is not there, Azure refuses, or it does not answer.
        """
        return _object(self._ask("GET", path, version, what, params=params), what)

    def find(self, path: str, version: str, what: str, **params: str) -> dict[str, Any] | None:
        """The same; None where it is not there."""
        answer = self._ask("GET", path, version, what, params=params, missing_is_fine=True)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _object(answer, what)

    def items(self, path: str, version: str, what: str, **params: str) -> Iterator[dict[str, Any]]:
        """Every row of a list, page after page; nothing where the path is not there."""
        answer = self._ask("GET", path, version, what, params=params, missing_is_fine=True)
        for _ in range(PAGES):
            if answer.status_code == httpx.codes.NOT_FOUND:
                return
            content = _json(answer, what)
            if isinstance(content, list):
                # Lists of images have no pages.
                yield from (row for row in content if isinstance(row, dict))
                return
            if not isinstance(content, dict) or not isinstance(content.get("value"), list):
                raise AzureError(
                    f"Azure's list of {what} is not as documented; look whether SONARSTACK_ARM_URL is right"
                )
            yield from content["value"]
            following = str(content.get("nextLink") or "")
            if not following:
                return
            self._refuse_elsewhere(following, what)
            answer = self._ask("GET", following, None, what)
        raise AzureError(f"Azure's list of {what} has more than {PAGES} pages; nothing was done")

    def post(self, path: str, version: str, what: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask for an action; what it answers at once, None where it only begins."""
        answer = self._ask("POST", path, version, what, body=body)
        return _object(answer, what) if answer.status_code == httpx.codes.OK and answer.content else None

    def delete(self, path: str, version: str, what: str, **params: str) -> None:
        """Begin to remove it; fine if it is not there."""
        self._ask("DELETE", path, version, what, params=params, missing_is_fine=True)

    def _ask(
        self,
        verb: str,
        path: str,
        version: str | None,
        what: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        missing_is_fine: bool = False,
    ) -> httpx.Response:
        """One call, again where that can help: an action (POST) only if Azure says that it did not begin it."""
        url = path if version is None else f"{self.address}{path}"
        query = None if version is None else {"api-version": version, **(params or {})}
        for attempt in range(1, ATTEMPTS + 1):
            head = {"Authorization": f"Bearer {self.token()}", "User-Agent": "sonarstack"}
            try:
                answer = self._client.request(verb, url, params=query, json=body, headers=head)
            except httpx.HTTPError as error:
                if verb == "POST" or attempt == ATTEMPTS:
                    raise AccountError(
                        f"Azure does not answer about {what} ({type(error).__name__}); check the network and {VARIABLE}"
                    ) from None  # httpx keeps the request with its token
                self._pause(_pace(attempt))
                continue
            if answer.is_success:
                return answer
            if (
                missing_is_fine
                and answer.status_code == httpx.codes.NOT_FOUND
                and words_of(answer)[0] in NOT_THERE
            ):
                return answer
            wait_s = _wait_s(answer, attempt)
            again = answer.status_code in AGAIN and (verb != "POST" or answer.status_code == 429)
            if not again or attempt == ATTEMPTS or wait_s > WAIT_AT_MOST_S:
                raise account.refusal(answer, what)
            self._pause(wait_s)
        raise AssertionError("the last try has raised")

    def _refuse_elsewhere(self, link: str, what: str) -> None:
        """The token goes to nobody else."""
        url = httpx.URL(link)
        port = {"https": 443, "http": 80}
        there = (url.scheme, url.host, url.port or port.get(url.scheme))
        if there != (self._base.scheme, self._base.host, self._base.port or port.get(self._base.scheme)):
            ours, theirs = self._base.netloc.decode(), url.netloc.decode()
            raise AzureError(f"Azure's list of {what} goes on at {theirs}, which is not {ours}; not followed")


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the authorities takes a tenth of a second, once."""
    return httpx.create_ssl_context()


def _pace(attempt: int) -> float:
    return float(2 ** (attempt - 1))


def _wait_s(answer: httpx.Response, attempt: int) -> float:
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else _pace(attempt)


def _json(answer: httpx.Response, what: str) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise AzureError(
            f"Azure's answer about {what} is not JSON; look whether {VARIABLE} is right"
        ) from None


def _object(answer: httpx.Response, what: str) -> dict[str, Any]:
    content = _json(answer, what)
    if not isinstance(content, dict):
        raise AzureError(
            f"Azure's answer about {what} is not as documented; look whether {VARIABLE} is right"
        )
    return content
