"""A service that gives prepared answers in turn; every request to it must be in the contract."""

from functools import cache

import httpx

from infra.runpod.client import RunpodClient
from tests.infra.runpod.contract import Contract, at_hand

KEY = "rpa_planted"
ADDRESS = "http://rp.test/v2"


@cache
def _contract() -> Contract | None:
    return at_hand()


class Service:
    """Answers in turn, and what it was asked; an exception among them is a connection that broke."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.paths: list[str] = []
        """Of the contract."""
        self.slept: list[float] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        contract = _contract()
        if contract is not None:
            self.paths.append(contract.check_request(request))
        self.asked.append(request)
        one = self.answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one if isinstance(one, httpx.Response) else httpx.Response(200, json=one)

    def client(self) -> RunpodClient:
        return RunpodClient(KEY, ADDRESS, http=self.http, sleep=self.slept.append)

    def methods(self) -> list[str]:
        return [request.method for request in self.asked]


def problem(status: int, detail: str = "no", **headers: str) -> httpx.Response:
    body = {"title": "x", "status": status, "detail": detail}
    return httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
