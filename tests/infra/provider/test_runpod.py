"""The Runpod tables as the engine sees them: the plugin as a process, against the simulated service."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra.provider.table import Call
from infra.provider.tables.network_volume import _places
from infra.provider.tables.pod import PodTable
from infra.provider.values import SECRET, SIGNATURE, UNKNOWN, decode, encode
from infra.runpod.client import RunpodClient
from infra.runpod.errors import RunpodError
from infra.runpod.offers import Offer
from infra.runpod.simulator.run import running
from tests.infra.provider.test_contract import PLUGIN, _kept
from tests.sshd import missing_programs

KINDS = ("NetworkVolume", "Pod", "PodReady", "RegistryCredential", "TrainingRun")
KEY = "rpa_planted_key"


@pytest.fixture
def service(tmp_path):
    with running(
        tmp_path / "account", key=KEY, allowed=tmp_path / "pods", provision_s=0.1, start_s=0.1
    ) as it:
        yield it


@pytest.fixture
def plugin(tmp_path, service) -> Iterator[SimpleNamespace]:
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        **service.variables(),
    }
    process = subprocess.Popen(
        [sys.executable, str(PLUGIN), "127.0.0.1:9"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=variables,
    )
    assert process.stdout is not None
    channel = grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}")
    yield SimpleNamespace(stub=provider_pb2_grpc.ResourceProviderStub(channel), process=process)
    channel.close()
    process.terminate()
    process.communicate()


@pytest.fixture
def needs_ssh() -> None:
    reason = missing_programs()
    if reason:
        pytest.skip(reason)


def urn(kind: str) -> str:
    return f"urn:pulumi:runpod::sonarstack::sonarstack:runpod:PodTraining$sonarstack:index:{kind}::it"


def pod(tmp_path: Path, **more: object) -> dict:
    values = {
        "stamp": "sonarstack-t-000000",
        "run": "home",
        "gpus": ["RTX 4090"],
        "maxUsdPerH": 0.9,
        "maxHours": 1,
        "image": "runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404",
        "workspace": str(tmp_path / "pods" / "workspace"),
        "job": "first",
    }
    return {key: value for key, value in {**values, **more}.items() if value is not None}


def volume(**more: object) -> dict:
    values = {
        "name": "sonarstack-t-volume",
        "sizeGib": 10,
        "stamp": "sonarstack-t-000000",
        "run": "home",
        "gpus": ["RTX 4090"],
        "maxUsdPerH": 0.9,
    }
    return {**values, **more}


def create(plugin, kind: str, inputs: dict, *, preview: bool = False, secrets=()):
    request = provider_pb2.CreateRequest(urn=urn(kind), properties=encode(inputs, secrets), preview=preview)
    return plugin.stub.Create(request)


def read(plugin, kind: str, id_: str, inputs: dict, outputs: dict):
    return plugin.stub.Read(
        provider_pb2.ReadRequest(
            id=id_, urn=urn(kind), inputs=encode(inputs), properties=encode({**inputs, **outputs})
        )
    )


def update(plugin, kind: str, id_: str, news: dict, outputs: dict):
    return plugin.stub.Update(
        provider_pb2.UpdateRequest(id=id_, urn=urn(kind), olds=encode(outputs), news=encode(news))
    )


def diff(plugin, kind: str, id_: str, olds: dict, outputs: dict, news: dict):
    return plugin.stub.Diff(
        provider_pb2.DiffRequest(
            id=id_,
            urn=urn(kind),
            olds=encode({**olds, **outputs}),
            old_inputs=encode(olds),
            news=encode(news),
        )
    )


def delete(plugin, kind: str, id_: str, inputs: dict, outputs: dict) -> None:
    plugin.stub.Delete(
        provider_pb2.DeleteRequest(
            id=id_, urn=urn(kind), properties=encode({**inputs, **outputs}), old_inputs=encode(inputs)
        )
    )


def alive(service) -> list[str]:
    return [one["name"] for one in service.meter()["pods"] if one["usd_per_h"]]


def posts(service) -> int:
    return sum(seen.method == "POST" and seen.path == "/v2/pods" for seen in service.requests())


@pytest.mark.parametrize(
    ("kind", "inputs", "named"),
    [
        ("Pod", {}, {"stamp", "run", "gpus", "maxUsdPerH", "maxHours", "image"}),
        (
            "Pod",
            {"maxUsdPerH": 0, "maxHours": -1},
            {"maxUsdPerH", "maxHours", "stamp", "run", "gpus", "image"},
        ),
        ("NetworkVolume", {"sizeGib": 5}, {"name", "sizeGib", "stamp", "run", "gpus", "maxUsdPerH"}),
        ("PodReady", {}, {"pod", "podId"}),
        ("RegistryCredential", {"username": "u"}, {"name", "password"}),
    ],
)
def test_every_bad_property_is_named_at_once(plugin, kind, inputs, named) -> None:
    answer = plugin.stub.Check(provider_pb2.CheckRequest(urn=urn(kind), news=encode(inputs)))
    assert {f.property for f in answer.failures} == named


def test_a_community_pod_with_a_volume_is_refused(plugin, tmp_path) -> None:
    news = encode(pod(tmp_path, cloud="community", volumeId="v"))
    answer = plugin.stub.Check(provider_pb2.CheckRequest(urn=urn("Pod"), news=news))
    assert [f.property for f in answer.failures] == ["cloud"]


def test_a_preview_asks_the_service_for_nothing(plugin, service, tmp_path) -> None:
    told = decode(create(plugin, "Pod", pod(tmp_path, volumeId=UNKNOWN), preview=True).properties).values
    assert told["podId"] == told["priceUsdPerH"] == UNKNOWN
    create(plugin, "NetworkVolume", volume(), preview=True)
    assert not service.requests()


def test_what_another_gpu_list_does_and_what_another_ceiling_does(plugin, tmp_path) -> None:
    olds = pod(tmp_path)
    assert list(diff(plugin, "Pod", "x", olds, {}, pod(tmp_path, gpus=["A40"])).replaces) == ["gpus"]
    assert diff(plugin, "Pod", "x", olds, {}, pod(tmp_path, gpus=["A40"])).deleteBeforeReplace
    for changed in ({"maxUsdPerH": 2}, {"maxHours": 2}, {"job": "second"}, {"authorizedKeys": ["k"]}):
        answer = diff(plugin, "Pod", "x", olds, {}, pod(tmp_path, **changed))
        assert not answer.replaces
        assert list(answer.diffs) == list(changed)
    wished = diff(plugin, "NetworkVolume", "v", volume(), {}, volume(gpus=["A40"]))
    assert not wished.replaces, "a run lies on it"


def test_a_pod_is_rented_once_and_taken_up_by_whoever_comes_again(plugin, service, tmp_path) -> None:
    first = create(plugin, "Pod", pod(tmp_path))
    told = decode(first.properties).values
    assert first.id.startswith("sonarstack-t-000000")
    assert told["priceUsdPerH"] <= 0.9
    assert told["simulated"] is True
    assert create(plugin, "Pod", pod(tmp_path)).id == first.id
    assert alive(service) == [first.id]
    assert posts(service) == 1


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"maxUsdPerH": 0.2}, r"costs \$0.44/h, above the ceiling of \$0.20/h.*raise sonarstack:maxUsdPerH"),
        (
            {"maxHours": 0.5},
            r"may live until .* longer than the sonarstack:maxHours=0.5 of now.*set maxHours to 1 to",
        ),
    ],
)
def test_one_that_a_killed_up_rented_for_more_than_is_promised_now_is_refused_and_kept_in_the_state(
    plugin, service, tmp_path, now, says
) -> None:
    first = create(plugin, "Pod", pod(tmp_path))  # and the engine dies here: no state
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, "Pod", pod(tmp_path, **now))
    kept = _kept(caught.value)
    assert re.search(says, " ".join(kept.reasons))
    told = decode(kept.properties).values
    assert (kept.id, told["podId"]) == (first.id, decode(first.properties).values["podId"])
    assert alive(service) == [first.id]
    with pytest.raises(grpc.RpcError, match=says):
        update(plugin, "Pod", kept.id, pod(tmp_path, **now), told)
    update(plugin, "Pod", kept.id, pod(tmp_path), told)
    delete(plugin, "Pod", kept.id, pod(tmp_path, **now), told)
    assert not alive(service)


def test_a_lost_answer_never_rents_twice(plugin, service, tmp_path) -> None:
    service.faults.arm("answer_lost", method="POST", path="/v2/pods", count=1)
    made = create(plugin, "Pod", pod(tmp_path))
    assert alive(service) == [made.id]


def test_a_dear_wish_is_refused_before_anything_is_rented(plugin, service, tmp_path) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, "Pod", pod(tmp_path, maxUsdPerH=0.01))
    assert "maxUsdPerH" in caught.value.details()
    assert "\n" not in caught.value.details()
    assert posts(service) == 0
    assert not list((tmp_path / "state" / "sonarstack" / "leases").glob("*.json"))


def test_no_capacity_goes_on_to_the_next_candidate(plugin, service, tmp_path) -> None:
    service.faults.arm("no_capacity", method="POST", path="/v2/pods", count=1)
    made = create(plugin, "Pod", pod(tmp_path, gpus=["RTX 4090", "RTX 3090"]))
    assert alive(service) == [made.id]
    assert posts(service) == 2


def test_a_pod_that_vanished_is_seen_by_refresh_and_by_the_next_up(plugin, service, tmp_path) -> None:
    inputs = pod(tmp_path)
    made = create(plugin, "Pod", inputs)
    told = decode(made.properties).values
    assert diff(plugin, "Pod", made.id, inputs, told, inputs).changes == provider_pb2.DiffResponse.DIFF_NONE
    service.kill_pod(told["podId"])
    seen = read(plugin, "Pod", made.id, inputs, told)
    assert seen.id == made.id, "its run may be on the volume: it is not forgotten"
    gone = decode(seen.properties).values
    assert gone["status"] == "GONE"
    assert "status" in diff(plugin, "Pod", made.id, inputs, gone, inputs).diffs
    again = decode(update(plugin, "Pod", made.id, inputs, gone).properties).values
    assert again["podId"] != told["podId"]
    assert alive(service) == [made.id]


def test_a_pod_that_ended_as_planned_is_rented_again_only_for_another_job(plugin, service, tmp_path) -> None:
    inputs = pod(tmp_path)
    made = create(plugin, "Pod", inputs)
    told = {**decode(made.properties).values, "status": "ENDED"}
    service.kill_pod(told["podId"])
    assert diff(plugin, "Pod", made.id, inputs, told, inputs).changes == provider_pb2.DiffResponse.DIFF_NONE
    same = decode(update(plugin, "Pod", made.id, pod(tmp_path, maxHours=2), told).properties).values
    assert same["status"] == "ENDED"
    assert not alive(service)
    update(plugin, "Pod", made.id, pod(tmp_path, job="second"), told)
    assert alive(service) == [made.id]


def test_the_end_ends_every_pod_of_the_name_and_is_a_success_twice(plugin, service, tmp_path) -> None:
    inputs = pod(tmp_path)
    made = create(plugin, "Pod", inputs)
    told = decode(made.properties).values
    for _ in range(2):
        delete(plugin, "Pod", made.id, inputs, told)
    assert not alive(service)


def test_an_end_that_ended_nothing_is_no_success(service, tmp_path, monkeypatch) -> None:
    for name, value in {**service.variables(), "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    call, inputs = Call(cancelled=threading.Event()), pod(tmp_path)
    made = PodTable().create(call, inputs)
    with monkeypatch.context() as patched:
        patched.setattr(RunpodClient, "delete_pod", lambda self, pod_id: None)
        with pytest.raises(RunpodError, match=r"still lists pod .* run it again"):
            PodTable().delete(call, made.id, inputs, made.outputs)
    PodTable().delete(call, made.id, inputs, made.outputs)
    assert not alive(service)


def test_an_orphan_is_imported_with_the_inputs_it_was_rented_with(plugin, tmp_path) -> None:
    inputs = pod(tmp_path, gpus=["RTX 4090", "A40"])
    made = create(plugin, "Pod", inputs)
    for id_ in (made.id, decode(made.properties).values["podId"]):
        found = plugin.stub.Read(provider_pb2.ReadRequest(id=id_, urn=urn("Pod")))
        assert found.id == made.id
        read_back = decode(found.inputs).values
        wanted = {key: value for key, value in inputs.items() if key != "job"}
        assert {key: read_back[key] for key in wanted} == wanted
    other = plugin.stub.Read(provider_pb2.ReadRequest(id="nobody", urn=urn("Pod")))
    assert other.id == ""


def test_a_volume_lies_where_the_gpu_is_and_never_moves(plugin, service) -> None:
    made = create(plugin, "NetworkVolume", volume())
    told = decode(made.properties).values
    assert create(plugin, "NetworkVolume", volume()).id == made.id
    grown = update(plugin, "NetworkVolume", made.id, volume(sizeGib=20, gpus=["A40"]), told)
    assert decode(grown.properties).values["dataCenter"] == told["dataCenter"]
    with pytest.raises(grpc.RpcError, match="only grow"):
        update(plugin, "NetworkVolume", made.id, volume(sizeGib=15), told)
    with pytest.raises(grpc.RpcError, match="the run lies on a volume in"):
        update(plugin, "NetworkVolume", made.id, volume(sizeGib=20, dataCenters=["XX-1"]), told)
    delete(plugin, "NetworkVolume", made.id, volume(), told)
    assert read(plugin, "NetworkVolume", made.id, volume(), told).id == ""
    assert not service.meter()["volumes_usd_per_h"]


def test_what_a_killed_up_left_goes_with_the_last_resource_and_else_nobody_is_asked(
    plugin, service, tmp_path
) -> None:
    made = create(plugin, "Leftovers", {"stamp": "sonarstack-t-000000"})
    delete(plugin, "Leftovers", made.id, {"stamp": made.id}, {})
    assert service.requests() == []
    create(plugin, "NetworkVolume", volume())  # and the engine never heard of it
    delete(plugin, "Leftovers", made.id, {"stamp": made.id}, {})
    assert not service.meter()["volumes_usd_per_h"]
    asked = len(service.requests())
    delete(plugin, "Leftovers", made.id, {"stamp": made.id}, {})
    assert len(service.requests()) == asked


def test_a_registrys_password_is_secret_in_and_never_out(plugin, tmp_path) -> None:
    inputs = {"name": "r", "username": "me", "password": "hush-hush-hush"}
    made = create(plugin, "RegistryCredential", inputs, secrets=["password"])
    fields = made.properties.fields
    assert fields["password"].struct_value.fields[SIGNATURE].string_value == SECRET
    assert "hush" not in str({key: value for key, value in fields.items() if key != "password"})
    again = create(plugin, "RegistryCredential", inputs, secrets=["password"])
    assert again.id != made.id, "nobody can read which password the old one holds"
    delete(plugin, "RegistryCredential", again.id, inputs, {})


@pytest.mark.usefixtures("needs_ssh")
def test_a_bad_host_is_given_back_and_another_taken(plugin, service, tmp_path) -> None:
    made = create(plugin, "Pod", pod(tmp_path))
    told = decode(made.properties).values
    service.kill_pod(told["podId"])
    ready = create(plugin, "PodReady", {"pod": made.id, "podId": told["podId"]})
    values = decode(ready.properties).values
    assert values["readyPodId"] != told["podId"]
    assert values["keyAccepted"] is True
    assert values["hostKey"].startswith("ssh-ed25519 ")
    assert "4090" in values["gpus"]
    assert alive(service) == [made.id]


def test_hosts_that_never_get_ready_end_the_wait_and_bill_nothing(plugin, service, tmp_path) -> None:
    service.faults.arm("never_ready", count=9)
    made = create(plugin, "Pod", pod(tmp_path))
    inputs = {"pod": made.id, "podId": "x", "readyMinutes": 0.05}
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, "PodReady", inputs)
    assert "3 hosts in a row were bad" in caught.value.details()
    assert not alive(service)


def test_a_cancel_ends_the_wait_and_leaves_the_pod_known(plugin, service, tmp_path) -> None:
    service.faults.arm("never_ready", count=9)
    made = create(plugin, "Pod", pod(tmp_path))
    call = plugin.stub.Create.future(
        provider_pb2.CreateRequest(urn=urn("PodReady"), properties=encode({"pod": made.id, "podId": "x"}))
    )
    time.sleep(1.0)
    plugin.stub.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError, match="cancelled"):
        call.result(timeout=15)
    assert alive(service) == [made.id]


@pytest.mark.usefixtures("needs_ssh")
def test_a_job_that_fails_keeps_its_run_in_the_state(plugin, tmp_path) -> None:
    inputs = pod(tmp_path)
    made = create(plugin, "Pod", inputs)
    told = decode(made.properties).values
    ready = decode(create(plugin, "PodReady", {"pod": made.id, "podId": told["podId"]}).properties).values
    folder = f"{inputs['workspace']}/{inputs['stamp']}"
    run = {
        "start": {
            "folder": f"{folder}/job",
            "argv": ["sh", "-c", 'echo "has $SONARSTACK_SEEN and $SONARSTACK_NOTIFY_URL" >&2; env; exit 1'],
            "variables": {"SONARSTACK_SEEN": "this"},
            "cwd": "/",
            "stamp": inputs["stamp"],
        },
        "runHost": ready["host"],
        "runPath": f"{folder}/run",
        "home": str(tmp_path / "home"),
        "machine": ready["readyPodId"],
        "terms": {
            "leaseUntil": told["leaseUntil"],
            "priceUsdPerH": told["priceUsdPerH"],
            "account": "of nobody",
            "stamp": inputs["stamp"],
            "run": inputs["run"],
        },
        "secrets": {"SONARSTACK_NOTIFY_URL": "json://planted"},
    }
    with pytest.raises(grpc.RpcError) as caught:
        create(plugin, "TrainingRun", run, secrets=["secrets"])
    kept = _kept(caught.value)
    values = decode(kept.properties).values
    assert values["state"] == "failed"
    assert "SONARSTACK_MAX_HOURS=0.9" in values["log"], "what is left of the lease, less a reserve"
    assert f"SONARSTACK_PRICE_USD_PER_H={told['priceUsdPerH']:.4f}" in values["log"]
    assert KEY not in values["log"]
    written = b"".join(p.read_bytes() for p in Path(folder).rglob("*") if p.is_file() and p.name != "log")
    assert b"planted" not in written


def test_of_equal_prices_the_place_with_more_gpus_that_would_do_is_taken() -> None:
    offers = [
        Offer(
            gpu_id=gpu,
            gpu_name=gpu,
            count=1,
            cloud="secure",
            data_center=center,
            price_usd_per_h=usd,
            stock="HIGH",
        )
        for gpu, center, usd in (
            ("a", "X", 0.3),
            ("a", "Y", 0.3),
            ("b", "Y", 0.4),
            ("b", "Z", 0.4),
            ("c", "Z", 0.5),
        )
    ]
    assert _places(offers) == ["Y", "X", "Z"]


@pytest.mark.parametrize(
    ("written", "refused"), [("after", False), ("before", True), ("half", True), ("never", True)]
)
def test_a_run_that_watch_brought_home_needs_its_pod_no_more(
    plugin, service, tmp_path, written, refused
) -> None:
    """Without a volume, the pod gone: only what came home whole since it was rented lets the destroy go on."""
    home = tmp_path / "home"
    made = create(plugin, "Pod", pod(tmp_path, cloud="community"))
    told = decode(made.properties).values
    if written != "never":
        home.mkdir()
        (home / "run.json").write_text("{}")
        digest = hashlib.sha256(b"{}").hexdigest()
        manifest = {"complete": written != "half", "files": {"run.json": digest}}
        (home / "manifest.json").write_text(json.dumps(manifest))
    if written == "before":
        os.utime(home / "manifest.json", (0, 0))
    service.kill_pod(told["podId"])
    folder = f"{tmp_path}/pods/workspace/sonarstack-t-000000"
    host = {"pod": made.id, "identity": "sonarstack-t-000000"}
    inputs = {
        "start": {"folder": f"{folder}/job", "argv": ["true"], "cwd": "/", "stamp": "sonarstack-t-000000"},
        "runHost": host,
        "runPath": f"{folder}/run",
        "home": str(home),
        "terms": {"account": service.address, "stamp": "sonarstack-t-000000", "run": "home"},
    }
    outputs = {"where": {"kind": "pod", "folder": f"{folder}/job", "host": host}}
    if not refused:
        delete(plugin, "TrainingRun", "x", inputs, outputs)
        return
    with pytest.raises(grpc.RpcError, match="nothing was destroyed"):
        delete(plugin, "TrainingRun", "x", inputs, outputs)
