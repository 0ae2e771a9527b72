"""What a pod is called, told and asked for: unique, readable back, within the contract, and nothing secret."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runpod.offers import Offer
from infra.runpod.spec import (
    PodSpec,
    spec_from_inputs,
    spec_inputs,
    spec_of,
    told_lease,
)

UNTIL = datetime(2026, 11, 22, 18, tzinfo=UTC)
KEY = "ssh-ed25519 AAAA ours"
OFFER = Offer(
    gpu_id="NVIDIA A40",
    gpu_name="A40",
    count=1,
    cloud="secure",
    data_center="EU-RO-1",
    price_usd_per_h=0.4,
    stock="HIGH",
)
SPEC = PodSpec(
    stamp="sonarstack-x-123456",
    run="runs",
    gpus=("A40",),
    max_usd_per_h=0.5,
    max_hours=6,
    volume_id="vol1",
    data_centers=("EU-RO-1",),
)


def test_the_name_is_known_before_and_is_of_the_shape_alone() -> None:
    assert SPEC.name == replace(SPEC, max_usd_per_h=9.0, max_hours=1, run="z", authorized_keys=("k",)).name
    assert SPEC.name.startswith(SPEC.stamp)
    assert len(SPEC.name) <= 60


@pytest.mark.parametrize(
    "changed",
    [
        {"gpus": ("A40", "RTX 4090")},
        {"image": "a:b"},
        {"volume_id": "vol2"},
        {"gpu_count": 2},
        {"cloud": "community"},
    ],
)
def test_another_shape_has_another_name(changed) -> None:
    assert replace(SPEC, **changed).name != SPEC.name


def test_the_request_is_in_the_contract_and_asks_for_no_keys_of_the_account(contract) -> None:
    body = SPEC.request(OFFER, UNTIL, KEY)
    contract.check("CreatePodRequest", body)
    assert body["startSsh"] is False
    assert body["dataCenterIds"] == ["EU-RO-1"]
    assert body["mounts"] == {"network": [{"volumeId": "vol1", "path": "/workspace"}]}
    assert body["args"]
    assert KEY in body["env"]["SONARSTACK_MACHINE_KEYS"]
    cpu = SPEC.reader_request("r", "cpu3c", "EU-RO-1", UNTIL, KEY)
    contract.check("CreatePodRequest", cpu)
    assert "gpu" not in cpu
    assert cpu["env"]["SONARSTACK_MACHINE_JOB"] != body["env"]["SONARSTACK_MACHINE_JOB"]


def test_an_own_image_starts_by_itself(contract) -> None:
    body = replace(SPEC, own_image=True, image="me/sonarstack:1", registry_id="reg").request(
        OFFER, UNTIL, KEY
    )
    contract.check("CreatePodRequest", body)
    assert "args" not in body
    assert body["registry"] == "reg"


def test_jupyter_is_open_only_where_it_is_asked_for() -> None:
    assert SPEC.request(OFFER, UNTIL, KEY)["ports"] == ["22/tcp"]
    assert "8888/http" in replace(SPEC, expose=True).request(OFFER, UNTIL, KEY)["ports"]


def test_what_it_was_rented_as_is_read_from_the_pod_itself() -> None:
    told = SPEC.request(OFFER, UNTIL, KEY)["env"]
    assert spec_of(told) == SPEC
    assert told_lease(told) == UNTIL


@pytest.mark.parametrize("until", ["inf", "1e300", "soon"])
def test_a_lease_beyond_all_time_is_none(until) -> None:
    assert told_lease({"SONARSTACK_MACHINE_LEASE_UNTIL": until}) is None


@pytest.mark.parametrize(
    "told", [{}, {"SONARSTACK_MACHINE_SPEC": "{"}, {"SONARSTACK_MACHINE_SPEC": '{"a": 1}'}]
)
def test_other_peoples_pods_are_not_ours(told) -> None:
    assert spec_of(told) is None
    assert told_lease(told) is None


@given(
    st.builds(
        PodSpec,
        stamp=st.just("s-1"),
        run=st.text(max_size=5),
        gpus=st.tuples(st.text(min_size=1, max_size=9)),
        gpu_count=st.integers(1, 8),
        min_vram_gib=st.none() | st.integers(1, 99),
        max_usd_per_h=st.floats(0.1, 9),
        max_hours=st.integers(1, 99),
        volume_id=st.none() | st.just("v"),
        expose=st.booleans(),
    )
)
def test_properties_and_json_keep_it(spec) -> None:
    wire = json.loads(json.dumps(spec_inputs(spec)))
    assert spec_from_inputs({**wire, "job": "x"}) == spec
    assert PodSpec.read(json.loads(json.dumps(spec.as_dict()))) == spec
