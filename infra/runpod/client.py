"""Runpod's REST v2 API (contract of 2026-08-18). The only part of this project that speaks to it.

There is no idempotency key: what may be repeated is repeated here, and a create whose answer was lost is looked up by
its own unique name before it is asked for again.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import httpx

from infra.runpod.errors import KeyRefusedError, MissingError, ServiceError, from_answer
from infra.runpod.wire import GpuType, NetworkVolume, Pod

DEFAULT_ADDRESS = "https://api.runpod.io/v2"
ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
LOOKS = 3
"""How often a name is looked for after a lost answer: a list may lag behind (an assumption, the contract is silent)."""


class RunpodClient:
    """One account. Use as a context manager.

    Args:
        key: of the account; RUNPOD_API_KEY where None.
        address: RUNPOD_REST_V2_API_URL or the service's own where None.
        http: one that its owner closes; None opens one.
        sleep: how it waits; whoever must react to a cancel gives one that raises.

    Raises:
        KeyRefusedError: there is no key.
    """

    def __init__(
        self,
        key: str | None = None,
        address: str | None = None,
        *,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._key = key or os.environ.get("RUNPOD_API_KEY") or ""
        if not self._key:
            raise KeyRefusedError(
                "Runpod needs RUNPOD_API_KEY; make a key in the console (Settings, API keys) and export it"
            )
        self.address = (address or os.environ.get("RUNPOD_REST_V2_API_URL") or DEFAULT_ADDRESS).rstrip("/")
        self._sleep = sleep
        self._http = http or httpx.Client(timeout=60.0)
        self._owned = http is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned:
            self._http.close()

    def pods(self) -> list[Pod]:
        """All pods of the account, stopped ones too."""
        return [Pod.read(one) for one in self._get("/pods", "list pods")["pods"]]

    def pod(self, pod_id: str) -> Pod | None:
        """One pod; None if it is gone."""
        try:
            found = Pod.read(self._get(f"/pods/{pod_id}", f"look at pod {pod_id}"))
        except MissingError:
            return None
        return None if found.status == "TERMINATED" else found

    def pod_named(self, name: str) -> Pod | None:
        """The living pod of this name; names of ours are unique."""
        return next((one for one in self.pods() if one.name == name and one.status != "TERMINATED"), None)

    def create_pod(self, request: Mapping[str, Any]) -> Pod:
        """Rent one; its name must be unique, since a lost answer is looked up by it.

        Raises:
            NoCapacityError, PoolRefusedError, BalanceError, RefusedError: nothing was rented.
            ServiceError: no answer, and no such pod was found either.
        """
        name = request["name"]
        what = f"create pod {name}"
        last: ServiceError | None = None
        for attempt in range(ATTEMPTS):
            try:
                return Pod.read(self._send("POST", "/pods", what, request))
            except ServiceError as error:
                last = error
            for look in range(LOOKS):
                self._sleep(_pause_s(look))
                found = self.pod_named(name)
                if found is not None:
                    return found
            self._sleep(_pause_s(attempt))
        assert last is not None
        raise last

    def delete_pod(self, pod_id: str) -> None:
        """End it; one that is gone already is a success."""
        self._delete(f"/pods/{pod_id}", f"end pod {pod_id}")

    def gpus(self) -> list[GpuType]:
        """The catalogue for pods, with stock."""
        answer = self._get(
            "/catalog/gpus", "read the catalogue", {"include": "AVAILABILITY", "product": "POD"}
        )
        return [GpuType.read(one) for one in answer["gpus"]]

    def volumes(self) -> list[NetworkVolume]:
        """All network volumes of the account."""
        answer = self._get("/network-volumes", "list network volumes")
        return [NetworkVolume.read(one) for one in answer["networkVolumes"]]

    def delete_volume(self, volume_id: str) -> None:
        """Remove it with all it holds; one that is gone already is a success."""
        self._delete(f"/network-volumes/{volume_id}", f"remove network volume {volume_id}")

    def _get(self, path: str, what: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._repeated(lambda: self._send("GET", path, what, params=params))

    def _delete(self, path: str, what: str) -> None:
        try:
            self._repeated(lambda: self._send("DELETE", path, what))
        except MissingError:
            return

    def _repeated(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Ask again while the service is ill: only what may be repeated."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return ask()
            except ServiceError:
                self._sleep(_pause_s(attempt))
        return ask()

    def _send(
        self,
        method: str,
        path: str,
        what: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request; asked again only after 429, which says that nothing was done."""
        for attempt in range(ATTEMPTS):
            try:
                answer = self._http.request(
                    method,
                    self.address + path,
                    json=body,
                    params=params,
                    headers={"Authorization": f"Bearer {self._key}"},
                )
            except httpx.HTTPError as error:
                raise ServiceError(
                    f"Runpod: {what}: no answer ({type(error).__name__}); is {self.address} reachable?"
                ) from error
            if answer.status_code != 429 or attempt == ATTEMPTS - 1:
                break
            self._sleep(_retry_after_s(answer, attempt))
        if answer.is_success:
            return self._content(answer, what)
        raise from_answer(answer.status_code, what, _detail(answer), self._hidden(body))

    def _content(self, answer: httpx.Response, what: str) -> dict[str, Any]:
        if answer.status_code == 204:
            return {}
        try:
            content = answer.json()
        except ValueError as error:
            raise ServiceError(f"Runpod: {what}: the answer is no JSON; is {self.address} Runpod?") from error
        if not isinstance(content, dict):
            raise ServiceError(f"Runpod: {what}: the answer is not what its contract says")
        return content

    def _hidden(self, body: Mapping[str, Any] | None) -> list[str]:
        env = (body or {}).get("env") or {}
        return [self._key, *(str(value) for value in env.values())]


def _pause_s(attempt: int) -> float:
    """Doubling, with a spread so that many clients do not come back at once."""
    return float(min(LONGEST_WAIT_S, 2.0**attempt) * random.uniform(0.5, 1.0))


def _retry_after_s(answer: httpx.Response, attempt: int) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(LONGEST_WAIT_S, float(text)) if text.isdecimal() else _pause_s(attempt)


def _detail(answer: httpx.Response) -> str:
    """The problem's own words; a page of a proxy in between has none of them."""
    try:
        problem = answer.json()
    except ValueError:
        return ""
    if not isinstance(problem, dict):
        return ""
    parts = [str(problem.get("detail") or problem.get("title") or ""), *map(str, problem.get("errors") or ())]
    return "; ".join(filter(None, parts))
