"""Our own checks of request bodies give the same verdicts as the contract's schemas, whatever comes."""

import copy
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.runpod.simulator import bodies

WORD = st.text(max_size=8)
NAME = st.text(min_size=1, max_size=8)
CUDA = st.from_regex(r"\A[0-9]{1,2}\.[0-9]{1,2}\Z")
CONTAINER = {
    "image": WORD,
    "args": WORD,
    "disk": st.integers(1, 500),
    "env": st.dictionaries(WORD, WORD, max_size=3),
    "ports": st.lists(st.sampled_from(["22/tcp", "8888/http"]), max_size=3),
    "registry": st.none() | WORD,
}
MOUNTS = st.fixed_dictionaries(
    {},
    optional={
        "persistent": st.fixed_dictionaries({"size": st.integers(10, 99), "path": WORD}),
        "network": st.lists(st.fixed_dictionaries({"volumeId": WORD, "path": WORD}), max_size=1),
    },
)
CREATE_POD = st.fixed_dictionaries(
    {"name": NAME},
    optional={
        **CONTAINER,
        "cloud": st.sampled_from(["SECURE", "COMMUNITY"]),
        "cpu": st.fixed_dictionaries({"id": NAME, "vcpuCount": st.integers(2, 64)}),
        "gpu": st.fixed_dictionaries(
            {"id": WORD},
            optional={
                "count": st.integers(1, 8),
                "allowedCudaVersions": st.lists(CUDA, max_size=2),
                "minCudaVersion": CUDA,
            },
        ),
        "dataCenterIds": st.lists(WORD, max_size=2),
        "globalNetworking": st.booleans(),
        "mounts": MOUNTS,
        "startJupyter": st.booleans(),
        "startSsh": st.booleans(),
        "templateId": NAME,
    },
)
KEY = st.from_regex(r"\A(ssh|ecdsa|sk)-[a-z0-9]{1,8} [A-Za-z0-9+/]{1,8}( [a-z@]{0,5})?\Z")
BODIES = {
    "CreatePodRequest": (bodies.create_pod, CREATE_POD),
    "UpdatePodRequest": (
        bodies.update_pod,
        st.fixed_dictionaries(
            {},
            optional={
                **CONTAINER,
                "globalNetworking": st.booleans(),
                "locked": st.booleans(),
                "mounts": MOUNTS,
                "name": NAME,
                "templateId": WORD,
            },
        ),
    ),
    "PodActionRequest": (
        bodies.pod_action,
        st.fixed_dictionaries({"action": st.sampled_from(["start", "stop", "restart", "terminate"])}),
    ),
    "CreateNetworkVolumeRequest": (
        bodies.create_volume,
        st.fixed_dictionaries(
            {"name": NAME, "size": st.integers(10, 4096), "dataCenter": NAME},
            optional={"type": st.sampled_from(["STANDARD", "HIGH_PERFORMANCE"])},
        ),
    ),
    "UpdateNetworkVolumeRequest": (
        bodies.update_volume,
        st.fixed_dictionaries({}, optional={"name": NAME, "size": st.integers(10, 4096)}),
    ),
    "CreateRegistryRequest": (
        bodies.create_registry,
        st.fixed_dictionaries({"name": NAME, "username": NAME, "password": NAME}),
    ),
    "UpdateSshKeysRequest": (bodies.ssh_keys, st.fixed_dictionaries({"keys": st.lists(KEY, max_size=2)})),
}
JUNK = st.sampled_from(
    [None, True, False, 0, 1, -1, 2.0, 2.5, 9, 10, 4096, 4097, "", "x", "12", "12.8", "RUNNING", [],
     [""], [None], {}, {"x": 1}]
)  # fmt: skip


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Paths to every value within, the whole included."""
    found = [path]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in pairs:
        found += places(one, (*path, name))
    return found


def twisted(value: Any) -> list[Any]:
    """The same kind of thing at the bounds that the contract has somewhere."""
    if isinstance(value, bool) or value is None:
        return [not value]
    if isinstance(value, int):
        return [0, 1, 2, 9, 10, 4096, 4097, float(value), -value]
    if isinstance(value, str):
        return ["", value.upper(), f"{value} ", value[:1]]
    return [value * 2] if isinstance(value, list) else [{}]


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[Any]) -> Any:
    """A body with one thing wrong, or perhaps not wrong at all."""
    body = copy.deepcopy(draw(valid))
    path = draw(st.sampled_from(places(body)))
    holder, last = None, None
    target = body
    for step in path:
        holder, last, target = target, step, target[step]
    change = draw(st.sampled_from(["replace", "remove", "add", "twist"]))
    if change == "twist" and holder is not None:
        holder[last] = draw(st.sampled_from(twisted(target)))
        return body
    if change == "add" and isinstance(target, dict):
        target[draw(st.sampled_from(["bogus", "interruptible", "name", "gpu"]))] = draw(JUNK)
    elif change == "add" and isinstance(target, list):
        target.append(draw(JUNK))
    elif holder is None:
        return draw(JUNK)
    elif change == "remove":
        del holder[last]
    else:
        holder[last] = draw(JUNK)
    return body


def contract_takes(contract, schema: str, body: object) -> bool:
    try:
        contract.check(schema, body)
    except jsonschema.ValidationError:
        return False
    return True


@pytest.mark.parametrize("schema", BODIES)
def test_the_same_bodies_are_taken_as_by_the_contract(contract, schema: str) -> None:
    check, valid = BODIES[schema]
    seen = set()

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(valid | mutated(valid))
    def agree(body: object) -> None:
        errors = list(check(body, "$"))
        assert (not errors) == contract_takes(contract, schema, body), (body, errors)
        seen.add(not errors)

    agree()
    assert seen == {True, False}, "both verdicts must have been met"


CONTAINER_OF = {"name": "n", "image": "i"}
EDGES = [
    *[("CreatePodRequest", {**CONTAINER_OF, "cpu": {"id": "c", "vcpuCount": n}}) for n in (1, 2)],
    *[("CreatePodRequest", {**CONTAINER_OF, "gpu": {"id": "g", "count": n}}) for n in (0, 1, 1.0, 1.5, True)],
    *[("CreatePodRequest", {**CONTAINER_OF, "disk": n}) for n in (0, 1)],
    *[
        ("CreatePodRequest", {**CONTAINER_OF, "mounts": {"persistent": {"size": n, "path": ""}}})
        for n in (9, 10)
    ],
    *[
        ("CreatePodRequest", {**CONTAINER_OF, "mounts": {"network": [{"volumeId": "v", "path": "p"}] * n}})
        for n in (0, 1, 2)
    ],
    *[("CreatePodRequest", {"name": "n", "templateId": text}) for text in ("", "t")],
    *[
        ("CreateNetworkVolumeRequest", {"name": "n", "dataCenter": "d", "size": n})
        for n in (9, 10, 4096, 4097)
    ],
    *[("UpdateNetworkVolumeRequest", {"size": n}) for n in (9, 10, 4096, 4097)],
    *[("UpdatePodRequest", body) for body in ({}, {"name": ""}, {"templateId": ""}, {"gpu": {"id": "g"}})],
]


def test_at_the_bounds(contract) -> None:
    verdicts = [
        (contract_takes(contract, schema, body), not list(BODIES[schema][0](body, "$")), body)
        for schema, body in EDGES
    ]
    assert [one for one in verdicts if one[0] != one[1]] == []
    assert {one[0] for one in verdicts} == {True, False}


def test_what_is_wrong_is_named() -> None:
    body = {"name": "", "gpu": {"id": "x", "count": 0, "bogus": 1}, "interruptible": True}
    errors = "\n".join(bodies.create_pod(body, "$"))
    assert "$: additional properties 'interruptible' not allowed" in errors
    assert "$: missing property 'image'" in errors
    assert "$.name: minLength: got 0, want 1" in errors
    assert "$.gpu: additional properties 'bogus' not allowed" in errors
    assert "$.gpu.count: minimum: got 0, want 1" in errors
