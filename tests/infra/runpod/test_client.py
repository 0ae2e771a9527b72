"""The client's verbs against answers that the contract allows; every request is held against the contract."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from jsonschema import ValidationError

from infra.runpod.client import LOOKS, RunpodClient
from infra.runpod.errors import (
    BalanceError,
    CancelledError,
    ConflictError,
    KeyRefusedError,
    MissingError,
    NoCapacityError,
    PoolRefusedError,
    RateLimitError,
    RefusedError,
    ServiceError,
)
from infra.runpod.transport import ATTEMPTS
from tests.infra.runpod.service import KEY, Service, problem

REQUEST = {
    "name": "sonarstack-x",
    "image": "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
    "gpu": {"id": "NVIDIA GeForce RTX 4090", "count": 1},
    "disk": 50,
    "env": {"SECRET": "planted-in-env"},
    "ports": ["22/tcp"],
}
VOLUME = {"id": "v1", "name": "sonarstack-v", "size": 50, "dataCenter": "EU-RO-1", "type": "STANDARD"}
REGISTRY = {"id": "r1", "name": "sonarstack-r"}


@pytest.fixture
def pod(contract) -> dict:
    return contract.example("/v2/pods/{id}")


READS = {
    "/v2/pods": lambda client: client.pods(),
    "/v2/pods/{id}": lambda client: client.pod("7h9k2m4n6p"),
    "/v2/network-volumes": lambda client: client.volumes(),
    "/v2/network-volumes/{id}": lambda client: client.volume("2q9m7x4c"),
    "/v2/registries": lambda client: client.registries(),
    "/v2/registries/{id}": lambda client: client.registry("6n2k8v4d"),
    "/v2/catalog/gpus": lambda client: client.gpus(count=2, cloud="COMMUNITY", min_cuda="12.8"),
    "/v2/catalog/cpus": lambda client: client.cpus(),
    "/v2/catalog/datacenters": lambda client: client.data_centers(),
    "/v2/billing/pods": lambda client: client.pod_bills("7h9k2m4n6p", last_n=3),
    "/v2/billing/network-volumes": lambda client: client.volume_bills("2q9m7x4c"),
}


@pytest.mark.parametrize("path", READS)
def test_the_contracts_own_examples_are_read(contract, path) -> None:
    service = Service(contract.example(path))
    assert READS[path](service.client())
    assert service.paths == [path]
    assert service.asked[0].headers["Authorization"] == f"Bearer {KEY}"


WRITES = {
    ("/v2/pods", "post", "201"): lambda client: client.create_pod(REQUEST),
    ("/v2/network-volumes", "post", "201"): lambda client: client.create_volume(
        name="sonarstack-v", size_gb=50, data_center="eu-ro-1"
    ),
    ("/v2/network-volumes/{id}", "patch", "200"): lambda client: client.grow_volume("2q9m7x4c", 200),
    ("/v2/registries", "post", "201"): lambda client: client.create_registry(
        name="sonarstack-r", username="who", password="planted"
    ),
}


@pytest.mark.parametrize("operation", WRITES)
def test_what_is_sent_is_in_the_contract_and_its_example_is_read(contract, operation) -> None:
    path, method, code = operation
    service = Service(httpx.Response(int(code), json=contract.example(path, method, code)))
    assert WRITES[operation](service.client())
    assert service.paths == [path]
    assert service.asked[0].method == method.upper()


def test_data_centres_are_sent_in_capitals() -> None:
    service = Service(httpx.Response(201, json=VOLUME))
    service.client().create_volume(name="sonarstack-v", size_gb=50, data_center="eu-ro-1")
    assert json.loads(service.asked[0].content)["dataCenter"] == "EU-RO-1"


def test_the_judge_of_requests_refuses_what_the_service_would(contract) -> None:
    for wrong in ({**REQUEST, "interruptible": True}, {"image": "x", "name": 1}):
        with pytest.raises(ValidationError):
            Service(None).client().create_pod(wrong)
    for url in ("http://rp.test/v2/pods?bogus=1", "http://rp.test/v2/pods/x/y/z"):
        with pytest.raises(AssertionError, match=r"no parameter bogus|not in the contract"):
            Service(None).http.get(url, headers={"Authorization": "Bearer x"})


def test_what_a_pod_looks_like(contract, pod) -> None:
    found = Service(pod).client().pod("7h9k2m4n6p")
    assert (found.ssh, found.image, found.disk_gb) == (("195.26.233.3", 34446, "root"), pod["image"], 50)
    assert found.ports == ("8888/http", "22/tcp")
    assert dict(found.env) == {"MODEL_NAME": "llama-3"}
    assert "llama" not in repr(found)
    cpu = {k: v for k, v in pod.items() if k != "gpu"}
    cpu["cpu"] = {"id": "cpu3c", "vcpuCount": 2, "memory": 4}
    contract.check("Pod", cpu)
    found = Service(cpu).client().pod("7h9k2m4n6p")
    assert (found.gpu_id, found.gpu_count, found.cpu_id) == (None, 0, "cpu3c")


def test_the_catalogue_in_our_words(contract) -> None:
    gpu = Service(contract.example("/v2/catalog/gpus")).client().gpus()[0]
    assert (gpu.secure_usd_per_h, gpu.max_count_secure, gpu.max_count_community) == (0.44, 8, 4)
    assert gpu.data_centers == {"US-KS-2": "HIGH"}
    cpu = Service(contract.example("/v2/catalog/cpus")).client().cpus()[0]
    assert (cpu.id, cpu.vcpu_min, cpu.ram_gb_per_vcpu, cpu.secure_usd_per_vcpu_h) == (
        "cpu3c-2-4",
        2,
        2.5,
        0.04,
    )
    center = Service(contract.example("/v2/catalog/datacenters")).client().data_centers()[0]
    assert center.volume_types == ("STANDARD", "HIGH_PERFORMANCE")
    assert center.gpu_stock == {"NVIDIA GeForce RTX 4090": "HIGH"}
    bill = Service(contract.example("/v2/billing/pods")).client().pod_bills()[0]
    assert (bill.total_usd, bill.gpu_usd, bill.disk_usd) == (12.34, 11.1, 1.24)
    assert bill.start == datetime(2026, 6, 1, tzinfo=UTC)


CREATES = {
    "pods": lambda client: client.create_pod(REQUEST),
    "networkVolumes": lambda client: client.create_volume(
        name="sonarstack-v", size_gb=50, data_center="EU-RO-1"
    ),
    "registries": lambda client: client.create_registry(
        name="sonarstack-r", username="who", password="planted"
    ),
}


@pytest.fixture(params=CREATES)
def made(request, pod) -> tuple:
    """The list's field, how one is created, and what was created."""
    ours = {"pods": {**pod, "name": "sonarstack-x"}, "networkVolumes": VOLUME, "registries": REGISTRY}
    return request.param, CREATES[request.param], ours[request.param]


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ReadTimeout("lost"),
        httpx.RemoteProtocolError("cut"),
        problem(502),
        problem(500),
        httpx.Response(201, text="<html>"),
        httpx.Response(201, json={"id": "x"}),
    ],
)
def test_a_lost_answer_to_a_create_never_makes_two(made, lost) -> None:
    field, create, ours = made
    service = Service(lost, {field: [{"name": "another's", "odd": True}]}, {field: [ours]})
    assert create(service.client()).id == ours["id"]
    assert service.methods() == ["POST", "GET", "GET"]


def test_a_create_that_did_not_happen_is_asked_for_again(made) -> None:
    field, create, ours = made
    service = Service(problem(502), *[{field: []}] * LOOKS, httpx.Response(201, json=ours), {field: [ours]})
    assert create(service.client()).id == ours["id"]
    assert service.methods().count("POST") == 2
    assert "DELETE" not in service.methods()


@pytest.mark.parametrize(
    "end", [httpx.Response(204), problem(404), problem(400), *[[problem(503)] * ATTEMPTS]]
)
def test_what_the_lost_request_made_after_all_is_ended_and_the_answered_one_kept(pod, end) -> None:
    env = {"SONARSTACK_MACHINE_KEYS": "ssh-ed25519 AAAA x"}
    made = {**pod, "env": env}
    first = {**made, "id": "first", "createdAt": "2026-01-01T00:00:00Z"}
    theirs = {**made, "id": "theirs", "env": {"SONARSTACK_MACHINE_KEYS": "ssh-ed25519 BBBB x"}}
    service = Service(
        httpx.ReadTimeout("lost"), *[{"pods": []}] * LOOKS, httpx.Response(201, json=made),
        {"pods": [first, theirs, made]}, *(end if isinstance(end, list) else [end]),
    )  # fmt: skip
    assert service.client().create_pod({**REQUEST, "name": pod["name"]}).id == pod["id"]
    ended = [one.url.path.rpartition("/")[2] for one in service.asked if one.method == "DELETE"]
    assert set(ended) == {"first"}


@pytest.mark.parametrize("look", [problem(503), problem(403), problem(401), problem(404), {}, problem(429)])
def test_a_create_whose_fate_nobody_can_see_is_not_asked_for_again(made, look) -> None:
    _, create, _ = made
    service = Service(httpx.ReadTimeout("lost"), *[look] * ATTEMPTS)
    with pytest.raises(ServiceError, match=r"ReadTimeout.*could not be seen either.*run the same again"):
        create(service.client())
    assert service.methods().count("POST") == 1


@pytest.mark.parametrize(
    "refused",
    [problem(400, "There are no longer any instances"), problem(403), problem(429, Retry_After="999")],
)
def test_a_refusal_after_a_lost_answer_is_looked_into(made, refused) -> None:
    """The lost one may have taken the last GPU."""
    field, create, ours = made
    none, lost = [{field: []}] * LOOKS, problem(504)
    assert create(Service(lost, *none, refused, {field: [ours]}).client()).id == ours["id"]
    service = Service(lost, *none, refused, *none)
    with pytest.raises(ServiceError, match="an answer was lost") as caught:
        create(service.client())
    assert not isinstance(caught.value, RateLimitError)
    assert service.methods().count("POST") == 2


def test_a_create_ends_after_so_many_attempts(made) -> None:
    field, create, _ = made
    service = Service(*[problem(500), *[{field: []}] * LOOKS] * ATTEMPTS)
    with pytest.raises(ServiceError, match=r"an answer was lost, and no sonarstack-\w is seen"):
        create(service.client())
    assert service.answers == []


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
        (409, "not now", ConflictError, "not now"),
        (410, "Gone", RefusedError, "unset RUNPOD_REST_V2_API_URL"),
        (422, "$: additional properties 'bogus' not allowed", RefusedError, "bogus"),
    ],
)
def test_each_refusal_says_what_to_do_and_is_not_repeated(made, status, detail, kind, advice) -> None:
    service = Service(problem(status, detail))
    with pytest.raises(kind, match=advice):
        made[1](service.client())
    assert service.methods() == ["POST"]


def test_a_create_that_is_refused_for_haste_has_made_nothing(made) -> None:
    service = Service(*[problem(429, "slow down", Retry_After="1")] * ATTEMPTS)
    with pytest.raises(RateLimitError, match="nothing was done"):
        made[1](service.client())
    assert service.methods() == ["POST"] * ATTEMPTS


def test_a_catalogue_that_may_not_be_read() -> None:
    with pytest.raises(PoolRefusedError, match="the key lacks the right"):
        Service(problem(403)).client().gpus()


def test_all_pods_of_a_name_the_oldest_first(pod) -> None:
    young = {**pod, "id": "young", "createdAt": "2026-06-02T12:00:00Z"}
    dead = {**pod, "id": "dead", "status": "TERMINATED"}
    found = Service({"pods": [young, dead, pod]}).client().pods_named(pod["name"])
    assert [one.id for one in found] == [pod["id"], "young"]


def test_ending_what_is_gone_is_a_success(pod) -> None:
    service = Service(*[problem(404)] * 4, {**pod, "status": "TERMINATED"})
    client = service.client()
    client.delete_pod("p")
    client.delete_volume("v")
    client.delete_registry("r")
    assert client.pod("p") is None
    assert client.pod("p") is None


def test_looks_at_what_is_gone() -> None:
    client = Service(*[problem(404)] * 4).client()
    assert client.volume("v") is None
    assert client.registry("r") is None
    with pytest.raises(MissingError):
        client.grow_volume("v", 100)


@pytest.mark.parametrize("identity", ["", ".", "..", " "])
def test_what_is_no_id_is_never_asked_for(identity) -> None:
    service = Service()
    with pytest.raises(RefusedError, match="is no id"):
        service.client().delete_pod(identity)
    assert service.asked == []


def test_an_id_cannot_reach_another_path() -> None:
    service = Service(problem(404))
    service.client().pod("a/../b?x=1")
    assert service.asked[0].url.raw_path == b"/v2/pods/a%2F..%2Fb%3Fx%3D1"


def test_a_cancel_ends_every_wait(made) -> None:
    def cancel(_: float) -> None:
        raise CancelledError("no more")

    for ask in (made[1], lambda client: client.pods()):
        client = RunpodClient(KEY, "http://rp.test/v2", http=Service(problem(500)).http, sleep=cancel)
        with pytest.raises(CancelledError):
            ask(client)


def test_whether_it_is_the_simulator() -> None:
    client = Service(
        {"pods": []}, httpx.Response(200, json={"pods": []}, headers={"X-Sonarstack-Simulated": "1"})
    ).client()
    client.pods()
    assert not client.simulated
    client.pods()
    assert client.simulated


def test_lines_of_a_log(contract) -> None:
    content = contract.document["paths"]["/v2/pods/{id}/logs"]["get"]["responses"]["200"]["content"]
    example = content["text/event-stream"]["examples"]["logLine"]["value"]
    service = Service(httpx.Response(200, text=example, headers={"Content-Type": "text/event-stream"}))
    lines = list(service.client().logs("p", tail=5, since="2026-06-01T12:00:00Z"))
    assert [(line.ts, line.source, line.line) for line in lines] == [
        ("2026-06-01T12:02:03Z", "container", "Model loaded.")
    ]
    assert service.paths == ["/v2/pods/{id}/logs"]
    assert json.loads(json.dumps(dict(service.asked[0].url.params))) == {
        "source": "container",
        "tail": "5",
        "since": "2026-06-01T12:00:00Z",
    }


def test_a_log_that_cannot_be_read() -> None:
    with pytest.raises(MissingError):
        list(Service(problem(404)).client().logs("p"))
    with pytest.raises(ServiceError, match="no answer"):
        list(Service(httpx.ConnectError("no")).client().logs("p"))


def test_without_a_key_or_with_one_that_is_none(monkeypatch) -> None:
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(KeyRefusedError, match="needs RUNPOD_API_KEY; make a key"):
        RunpodClient()
    with pytest.raises(KeyRefusedError, match="copy it from the console anew") as caught:
        RunpodClient("planted\nkey")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["rp.test", "ftp://rp.test", "http://", "http://me:planted@rp.test/v2", "http://rp.test:port"]
)
def test_an_address_that_is_none(address) -> None:
    with pytest.raises(RefusedError, match="must be an http") as caught:
        RunpodClient(KEY, address)
    assert "planted" not in str(caught.value)


def test_an_odd_pod_of_somebody_else_does_not_hide_ours(pod) -> None:
    ours, odd = {**pod, "name": "sonarstack-x"}, {**pod, "name": "other", "mounts": None}
    service = Service({"pods": [odd, ours]}, {"pods": [{**odd, "name": "sonarstack-y"}]})
    client = service.client()
    assert [one.name for one in client.pods()] == ["sonarstack-x"]
    with pytest.raises(ServiceError):
        client.pods()
