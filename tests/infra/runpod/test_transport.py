"""What is asked again and what is not; pages; and no error that holds a secret."""

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.runpod.errors import LONGEST_DETAIL, RateLimitError, RefusedError, RunpodError, ServiceError
from infra.runpod.transport import ATTEMPTS, LONGEST_WAIT_S, PAGES, pause_s
from tests.infra.runpod.service import KEY, Service, problem

NONE = {"pods": []}


def test_429_waits_as_long_as_it_is_told() -> None:
    service = Service(problem(429, Retry_After="7"), NONE)
    assert service.client().pods() == []
    assert service.slept == [7.0]


@pytest.mark.parametrize("said", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "٣"])
def test_429_that_does_not_say_how_long(said) -> None:
    answer = httpx.Response(429, json={}, headers=[(b"Retry-After", said.encode())])
    service = Service(answer, NONE)
    assert service.client().pods() == []
    assert 0 < service.slept[0] <= 1


def test_429_that_asks_for_more_than_we_wait_is_told_at_once() -> None:
    service = Service(problem(429, "hourly quota", Retry_After="1800"))
    with pytest.raises(RateLimitError, match=r"hourly quota; it asks to wait 1800 s.*nothing was done"):
        service.client().pods()
    assert service.slept == []


@pytest.mark.parametrize(
    "ill", [problem(500), problem(408), httpx.ConnectError("no"), httpx.Response(200, text="<")]
)
def test_looking_is_repeated_while_the_service_is_ill(ill) -> None:
    assert Service(ill, ill, NONE).client().pods() == []


def test_looking_ends_after_so_many_attempts() -> None:
    service = Service(*[problem(503)] * ATTEMPTS)
    with pytest.raises(ServiceError, match=r"list pods: no \(HTTP 503\); try again later"):
        service.client().pods()
    assert service.answers == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(200, text="<html>"), r"is no JSON; is http://rp\.test/v2 Runpod"),
        (httpx.Response(200, json=[1]), "is not what its contract says"),
    ],
)
def test_something_else_that_answers(answer, message) -> None:
    with pytest.raises(ServiceError, match=message):
        Service(*[answer] * ATTEMPTS).client().pods()


@pytest.mark.parametrize("answer", [{}, {"pods": None}, {"pods": {}}, {"pods": [1]}])
def test_an_answer_without_its_list(answer) -> None:
    with pytest.raises(ServiceError, match="has no list `pods`"):
        Service(answer).client().pods()


def test_a_redirect_is_not_followed_with_the_key() -> None:
    service = Service(httpx.Response(302, headers={"Location": "http://elsewhere.test"}))
    with pytest.raises(RefusedError, match="HTTP 302"):
        service.client().pods()
    assert len(service.asked) == 1


@pytest.mark.parametrize("name", ["nextCursor", "cursor"])
def test_a_list_is_read_to_its_last_page(name, contract) -> None:
    one = contract.example("/v2/network-volumes")["networkVolumes"][0]
    pages = [
        {"networkVolumes": [{**one, "id": "a"}], name: "x y&z"},
        {"networkVolumes": [{**one, "id": "b"}], name: "2"},
        {"networkVolumes": [{**one, "id": "c"}], name: None},
    ]
    service = Service(*pages)
    assert [volume.id for volume in service.client().volumes()] == ["a", "b", "c"]
    assert [request.url.params.get("cursor") for request in service.asked] == [None, "x y&z", "2"]


def test_the_parameters_of_a_list_stay_on_every_page() -> None:
    service = Service({"gpus": [], "nextCursor": "2"}, {"gpus": []})
    service.client().gpus(count=2)
    assert [request.url.params["count"] for request in service.asked] == ["2", "2"]


def test_a_name_on_a_later_page_is_found() -> None:
    ours = {"id": "r", "name": "ours"}
    service = Service({"registries": [{"id": "x", "name": "x"}], "nextCursor": "2"}, {"registries": [ours]})
    assert service.client().registry_named("ours").id == "r"


def test_pages_that_go_round_in_circles_are_no_list() -> None:
    service = Service({**NONE, "nextCursor": "a"}, {**NONE, "nextCursor": "b"}, {**NONE, "nextCursor": "a"})
    with pytest.raises(ServiceError, match="round in circles"):
        service.client().pods()
    endless = Service(*[{**NONE, "cursor": str(page)} for page in range(PAGES)])
    with pytest.raises(ServiceError, match="round in circles"):
        endless.client().pods()


SECRETS = {
    "LONG": "planted-in-env",
    "LINES": "-----BEGIN planted-----\nplanted-body-of-key\n",
    "QUOTED": 'planted"with\\marks',
    "SHORT": "pin7",
    "ONE": "x",
    "EMPTY": "",
    "SPACE": " ",
}
REQUEST = {"name": "n", "image": "i", "env": SECRETS}


@pytest.mark.parametrize(
    "said",
    [
        f"the key {KEY} is wrong",
        "env LONG=planted-in-env is wrong",
        "xplanted-in-envx",
        'value "-----BEGIN planted-----\\nplanted-body-of-key\\n" is too long',
        "line planted-body-of-key",
        'value "planted\\"with\\\\marks"',
        'value planted"with\\marks',
        "SHORT is pin7.",
        "SHORT=pin7",
    ],
)
@pytest.mark.parametrize("status", [400, 409, 422, 500])
def test_no_error_holds_the_key_or_a_value_of_env(said, status) -> None:
    service = Service(problem(status, said), *[problem(403, said)] * 9)
    with pytest.raises(RunpodError) as caught:
        service.client().create_pod(REQUEST)
    error: BaseException | None = caught.value
    while error is not None:
        for word in ("planted", "pin7"):
            assert word not in str(error)
        error = error.__cause__


def test_a_short_value_does_not_garble_the_text() -> None:
    service = Service(problem(422, "extra field 'x' at index 1: pin77 is no pin7, expected max"))
    with pytest.raises(
        RefusedError, match=r"extra field '\[hidden\]' at index 1: pin77 is no \[hidden\], expected max"
    ):
        service.client().create_pod(REQUEST)


def test_no_error_holds_a_registry_password() -> None:
    service = Service(problem(422, "user planted-who with planted-word is wrong"))
    with pytest.raises(RefusedError) as caught:
        service.client().create_registry(name="r", username="planted-who", password="planted-word")
    assert str(caught.value).count("[hidden]") == 2
    assert "planted" not in str(caught.value)


def test_an_answer_of_another_kind_does_not_tell_its_values(contract) -> None:
    pod = contract.example("/v2/pods/{id}")
    with pytest.raises(ServiceError, match="has a field of another kind") as caught:
        Service({**pod, "env": "planted-in-env"}).client().pod("p")
    assert "planted" not in str(caught.value)


@settings(deadline=None)
@given(
    st.recursive(st.none() | st.booleans() | st.text(max_size=9), st.lists, max_leaves=4),
    st.text(max_size=2000),
)
def test_whatever_the_problem_says_is_one_line_of_bounded_length(errors, detail) -> None:
    answer = httpx.Response(422, json={"title": "t", "status": 422, "detail": detail, "errors": errors})
    with pytest.raises(RefusedError) as caught:
        Service(answer).client().pods()
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < LONGEST_DETAIL + 100


def test_pauses_grow_and_are_bounded() -> None:
    assert all(0 < pause_s(attempt) <= LONGEST_WAIT_S for attempt in range(50))
    assert pause_s(4) > pause_s(0)
