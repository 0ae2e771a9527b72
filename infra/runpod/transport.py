"""How Runpod is asked: one request, what may be repeated, lists to their last page. Knows no resources.

Source: contract of 2026-08-18; the createPod description there says which answers are worth repeating.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from infra.runpod.errors import (
    KeyRefusedError,
    MissingError,
    RateLimitError,
    RefusedError,
    ServiceError,
    from_answer,
)

ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
PAGES = 1000
"""A list that goes on for longer goes round in circles."""
SIMULATED = "X-Sonarstack-Simulated"
SHORT = 8
"""Below so many letters a value is hidden only where it stands alone: 'auto' would garble 'automatic'."""
HIDDEN = "[hidden]"

T = TypeVar("T")


class Transport:
    """Requests to one account; no error text holds the key or a value of what was sent.

    Args:
        key: of the account.
        address: without a slash at its end.
        http: closed by its owner.
        sleep: how it waits; it may raise.

    Raises:
        KeyRefusedError: the key has letters that no key has.
        RefusedError: the address is none.
    """

    def __init__(self, key: str, address: str, http: httpx.Client, sleep: Callable[[float], None]) -> None:
        if not key.isascii() or not key.isprintable() or " " in key:
            raise KeyRefusedError(
                "RUNPOD_API_KEY has spaces or letters that no key has; copy it from the console anew"
            )
        self._key, self._http, self.sleep = key, http, sleep
        self._secrets = {key}
        """All that no error may tell; what was sent once may come back in the answer to another request."""
        self.address = _checked(address)
        self.simulated = False

    def get(self, path: str, what: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """An answer to a look, which may be repeated."""
        return self.repeated(lambda: self.send("GET", path, what, params=params))

    def listed(
        self, path: str, what: str, field: str, params: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """A list to its last page.

        The contract has no pages; an answer with `nextCursor` or `cursor` is followed by asking with `cursor` (an
        assumption: SkyPilot's client of 2026-09 follows cursors too, github.com/skypilot-org/skypilot pull 10846).
        """
        found: list[dict[str, Any]] = []
        seen: set[str] = set()
        asked = dict(params or {})
        for _ in range(PAGES):
            answer = self.get(path, what, asked)
            page = answer.get(field)
            if not isinstance(page, list) or not all(isinstance(one, dict) for one in page):
                raise ServiceError(f"Runpod: {what}: the answer has no list `{field}` as its contract says")
            found += page
            cursor = answer.get("nextCursor") or answer.get("cursor")
            if not cursor:
                return found
            if str(cursor) in seen:
                break
            seen.add(str(cursor))
            asked["cursor"] = str(cursor)
        raise ServiceError(f"Runpod: {what}: its pages go round in circles, so the list cannot be trusted")

    def delete(self, path: str, what: str) -> None:
        """Remove; what is gone already is a success."""
        try:
            self.repeated(lambda: self.send("DELETE", path, what))
        except MissingError:
            return

    def repeated(self, ask: Callable[[], T]) -> T:
        """Ask again while the service is ill: only for what may be repeated."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return ask()
            except RateLimitError:
                raise
            except ServiceError:
                self.sleep(pause_s(attempt))
        return ask()

    def send(
        self,
        method: str,
        path: str,
        what: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request; asked again only after 429, which says that nothing was done."""
        with self._answered(method, path, what, body, params, TIMEOUT, stream=False) as answer:
            return _content(answer, what, self.address)

    @contextmanager
    def streamed(
        self, path: str, what: str, params: Mapping[str, str], timeout_s: float
    ) -> Iterator[httpx.Response]:
        """An answer that is read while it comes; nothing for `timeout_s` is httpx.ReadTimeout."""
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, 15.0))
        with self._answered("GET", path, what, None, params, timeout, stream=True) as answer:
            yield answer

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        what: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, str] | None,
        timeout: httpx.Timeout,
        *,
        stream: bool,
    ) -> Iterator[httpx.Response]:
        for attempt in range(ATTEMPTS):
            answer = self._once(method, path, what, body, params, timeout, stream=stream)
            if answer.is_success:
                try:
                    yield answer
                finally:
                    answer.close()
                return
            detail = _detail(answer)
            if answer.status_code != 429:
                break
            wait_s = _retry_after_s(answer, attempt)
            if attempt == ATTEMPTS - 1 or wait_s > LONGEST_WAIT_S:
                detail = f"{detail or 'too many requests'}; it asks to wait {wait_s:.0f} s"
                break
            self.sleep(wait_s)
        raise from_answer(answer.status_code, what, self._without_secrets(detail))

    def _once(
        self,
        method: str,
        path: str,
        what: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, str] | None,
        timeout: httpx.Timeout,
        *,
        stream: bool,
    ) -> httpx.Response:
        if body is not None:
            self._remember(body)
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Accept": "text/event-stream" if stream else "application/json",
            "User-Agent": "sonarstack",
        }
        try:
            request = self._http.build_request(
                method, self.address + path, json=body, params=params, headers=headers, timeout=timeout
            )
            answer = self._http.send(request, stream=stream)
            if stream and not answer.is_success:
                answer.read()
        except httpx.HTTPError as error:
            raise ServiceError(
                f"Runpod: {what}: no answer ({type(error).__name__}); is {self.address} reachable?"
            ) from error
        self.simulated = self.simulated or answer.headers.get(SIMULATED) == "1"
        return answer

    def _remember(self, body: Mapping[str, Any]) -> None:
        env = body.get("env")
        values = list(env.values()) if isinstance(env, Mapping) else []
        for value in map(str, [*values, *(body[name] for name in ("username", "password") if name in body)]):
            # As it is, as JSON has it, and line by line.
            self._secrets |= {value, json.dumps(value)[1:-1], *value.splitlines()}

    def _without_secrets(self, text: str) -> str:
        for secret in sorted(filter(str.strip, self._secrets), key=len, reverse=True):
            whole = re.escape(secret)
            if len(secret) < SHORT:
                whole = f"(?<![A-Za-z0-9]){whole}(?![A-Za-z0-9])"
            text = re.sub(whole, HIDDEN, text)
        return text


def at(path: str, identity: str) -> str:
    """The path of one thing; an empty identity would address all of them.

    Raises:
        RefusedError: it is no identity.
    """
    if not identity.strip(". "):
        raise RefusedError(f"Runpod: {identity!r} is no id under {path}; give the id that Runpod answered")
    return f"{path}/{quote(identity, safe='')}"


def read(kind: Callable[[Mapping[str, Any]], T], answer: Mapping[str, Any], what: str) -> T:
    """An answer as one of ours.

    Raises:
        ServiceError: it lacks what its contract says.
    """
    try:
        return kind(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # A wrong value's own words stay out: they may be a value of env.
        lacking = f"lacks {error}" if isinstance(error, KeyError) else "has a field of another kind"
        raise ServiceError(
            f"Runpod: {what}: the answer {lacking}, which is not what its contract says; a newer sonarstack may know it"
        ) from error


def pause_s(attempt: int) -> float:
    """Doubling, with a spread so that many clients do not come back at once."""
    return float(min(LONGEST_WAIT_S, 2.0**attempt) * random.uniform(0.5, 1.0))


def _checked(address: str) -> str:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query:
        raise RefusedError(
            "RUNPOD_REST_V2_API_URL must be an http(s) address without user, password or query, "
            "such as https://api.runpod.io/v2; unset it to use that one"
        )
    return address


def _content(answer: httpx.Response, what: str, address: str) -> dict[str, Any]:
    if answer.status_code == 204:
        return {}
    try:
        content = answer.json()
    except ValueError as error:
        raise ServiceError(f"Runpod: {what}: the answer is no JSON; is {address} Runpod?") from error
    if not isinstance(content, dict):
        raise ServiceError(f"Runpod: {what}: the answer is not what its contract says")
    return content


def _retry_after_s(answer: httpx.Response, attempt: int) -> float:
    """Whole seconds, as the contract has them; our own pause where there are none."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else pause_s(attempt)


def _detail(answer: httpx.Response) -> str:
    """The problem's own words; a page of a proxy in between has none of them."""
    try:
        problem = answer.json()
    except ValueError:
        return ""
    if not isinstance(problem, dict):
        return ""
    errors = problem.get("errors")
    listed = errors if isinstance(errors, list) else [errors or ""]
    parts = [str(problem.get("detail") or problem.get("title") or ""), *map(str, listed)]
    return "; ".join(filter(None, parts))
