"""The client against answers that the contract allows: read, repeated where that is safe, told in one line."""

import json

import httpx
import pytest

from infra.runpod.client import RunpodClient
from infra.runpod.errors import (
    BalanceError,
    CancelledError,
    KeyRefusedError,
    NoCapacityError,
    PoolRefusedError,
    RefusedError,
    RunpodError,
    ServiceError,
)
from infra.runpod.transport import ATTEMPTS

REQUEST = {
    "name": "sonarstack-x",
    "image": "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
    "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 1},
    "disk": 50,
    "env": {"SECRET": "planted-in-env"},
    "ports": ["22/tcp"],
}
KEY = "rpa_planted"


class Service:
    """Answers in turn, and what it was asked; an exception among them is a connection that broke."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.slept: list[float] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        one = self.answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one if isinstance(one, httpx.Response) else httpx.Response(200, json=one)

    def client(self) -> RunpodClient:
        return RunpodClient(KEY, "http://rp.test/v2", http=self.http, sleep=self.slept.append)

    def methods(self) -> list[str]:
        return [request.method for request in self.asked]


def problem(status: int, detail: str = "no", **headers: str) -> httpx.Response:
    body = {"title": "x", "status": status, "detail": detail}
    return httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.fixture
def pod(contract) -> dict:
    return contract.example("/v2/pods/{id}")


def test_what_is_read_of_the_contracts_own_examples(contract, pod) -> None:
    contract.check("Pod", pod)
    service = Service(pod, contract.example("/v2/pods"), contract.example("/v2/catalog/gpus"))
    client = service.client()
    assert client.pod(pod["id"]).id == pod["id"]
    assert client.pods()
    gpus = client.gpus()
    assert gpus[0].secure_usd_per_h > 0
    assert service.asked[2].url.params["product"] == "POD"
    assert all(request.headers["Authorization"] == f"Bearer {KEY}" for request in service.asked)


def test_what_is_sent_to_rent_is_in_the_contract(contract, pod) -> None:
    contract.check("CreatePodRequest", REQUEST)
    service = Service(httpx.Response(201, json=pod))
    service.client().create_pod(REQUEST)
    contract.check("CreatePodRequest", json.loads(service.asked[0].content))


def test_a_lost_answer_to_a_create_never_rents_twice(pod) -> None:
    ours = {**pod, "name": "sonarstack-x", "status": "RUNNING"}
    service = Service(httpx.ReadTimeout("lost"), {"pods": []}, {"pods": [ours]})
    assert service.client().create_pod(REQUEST).name == "sonarstack-x"
    assert service.methods() == ["POST", "GET", "GET"]


def test_a_create_that_did_not_happen_is_asked_for_again(pod) -> None:
    none = {"pods": []}
    service = Service(problem(502), none, none, none, httpx.Response(201, json=pod))
    assert service.client().create_pod(REQUEST).id == pod["id"]
    assert service.methods().count("POST") == 2


def test_429_waits_as_long_as_it_is_told(pod) -> None:
    service = Service(problem(429, Retry_After="7"), httpx.Response(201, json=pod))
    service.client().create_pod(REQUEST)
    assert service.slept == [7.0]


def test_looking_is_repeated_while_the_service_is_ill_and_then_told() -> None:
    service = Service(problem(500), {"pods": []})
    assert service.client().pods() == []
    service = Service(*[problem(503)] * ATTEMPTS)
    with pytest.raises(ServiceError, match=r"HTTP 503.*try again later"):
        service.client().pods()


@pytest.mark.parametrize(
    ("status", "detail", "kind", "advice"),
    [
        (401, "bad key", KeyRefusedError, "set RUNPOD_API_KEY"),
        (402, "balance", BalanceError, "add credit"),
        (403, "pool", PoolRefusedError, "may not use that pool"),
        (
            400,
            "There are no longer any instances available with the requested specifications.",
            NoCapacityError,
            "other GPUs, data centres",
        ),
        (400, "gpu and cpu are both set", RefusedError, "both set"),
        (422, "$: additional properties 'bogus' not allowed", RefusedError, "bogus"),
    ],
)
def test_each_refusal_says_what_to_do_and_is_not_repeated(status, detail, kind, advice) -> None:
    service = Service(problem(status, detail))
    with pytest.raises(kind, match=advice):
        service.client().create_pod(REQUEST)
    assert service.methods() == ["POST"]


def test_no_error_holds_the_key_or_a_value_of_env() -> None:
    service = Service(problem(422, f"env SECRET=planted-in-env with {KEY} is wrong"))
    with pytest.raises(RunpodError) as caught:
        service.client().create_pod(REQUEST)
    assert "planted" not in str(caught.value)
    assert "[hidden]" in str(caught.value)


def test_ending_what_is_gone_is_a_success(pod) -> None:
    service = Service(problem(404), httpx.Response(204), problem(404), {**pod, "status": "TERMINATED"})
    client = service.client()
    client.delete_pod("p")
    client.delete_volume("v")
    assert client.pod("p") is None
    assert client.pod("p") is None


def test_a_cancel_ends_every_wait() -> None:
    def cancel(_: float) -> None:
        raise CancelledError("no more")

    service = Service(problem(500))
    client = RunpodClient(KEY, "http://rp.test", http=service.http, sleep=cancel)
    with pytest.raises(CancelledError):
        client.pods()


def test_something_else_that_answers() -> None:
    service = Service(*[httpx.Response(200, text="<html>")] * ATTEMPTS)
    with pytest.raises(ServiceError, match=r"is no JSON; is http://rp\.test/v2 Runpod"):
        service.client().pods()


def test_without_a_key(monkeypatch) -> None:
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(KeyRefusedError, match="needs RUNPOD_API_KEY; make a key"):
        RunpodClient()
