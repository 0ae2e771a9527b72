"""Faults on demand, each met once and then gone."""

import json
import time

import httpx
import pytest

from infra.runpod.simulator.clock import seconds_of
from tests.infra.runpod.simulator.asking import CPU_POD, GPU, POD, Account, eventually


def pods(runpod) -> list[dict]:
    return runpod.ask("GET", "/pods", status=200).json()["pods"]


def test_another_status(runpod) -> None:
    runpod.sim.faults.arm("status", method="POST", path="/v2/pods", status=503, count=2)
    for expected in (503, 503, 201):
        runpod.ask("POST", "/pods", POD, status=expected)
    assert len(pods(runpod)) == 1


def test_only_after_some_that_go_by(runpod) -> None:
    runpod.sim.faults.arm("status", method="GET", path="/v2/pods", status=403, skip=2)
    for expected in (200, 200, 403, 200):
        runpod.ask("GET", "/pods", status=expected)


def test_too_many_requests(runpod) -> None:
    runpod.sim.faults.arm("too_many", seconds=7)
    answer = runpod.ask("GET", "/pods", status=429)
    assert answer.headers["Retry-After"] == "7"
    assert "r=0;t=7" in answer.headers["RateLimit"]


@pytest.mark.parametrize(("kind", "left"), [("answer_lost", 1), ("answer_lost_before", 0)])
def test_an_answer_that_is_lost(runpod, kind: str, left: int) -> None:
    runpod.sim.faults.arm(kind, method="POST", path="/v2/pods")
    with pytest.raises(httpx.RemoteProtocolError):
        runpod.ask("POST", "/pods", POD)
    assert len(pods(runpod)) == left
    assert [one.status for one in runpod.sim.requests()] == [0, 200]
    if left:
        runpod.sim.faults.arm("answer_lost", method="DELETE")
        with pytest.raises(httpx.RemoteProtocolError):
            runpod.ask("DELETE", f"/pods/{pods(runpod)[0]['id']}")
        assert pods(runpod) == []


def test_a_late_answer(runpod) -> None:
    runpod.sim.faults.arm("delay", seconds=0.4)
    began = time.monotonic()
    pods(runpod)
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(("kind", "left"), [("delay", 0), ("delay_after", 1)])
def test_a_client_that_dies_while_it_waits(runpod, kind: str, left: int) -> None:
    runpod.sim.faults.arm(kind, method="POST", path="/v2/pods", seconds=20)
    with pytest.raises(httpx.ReadTimeout):
        runpod.ask("POST", "/pods", POD, timeout=0.4)
    eventually(lambda: runpod.sim.requests())
    assert runpod.sim.requests()[0].status == 0
    assert len(pods(runpod)) == left


def test_what_pods_ask_by_themselves_uses_no_fault_up(runpod) -> None:
    made = runpod.pod()
    with_own = Account(runpod.sim, runpod.sim.simulation.state.pods[made["id"]].own_key)
    runpod.sim.faults.arm("status", method="GET")
    with_own.ask("GET", f"/pods/{made['id']}", status=200)
    runpod.ask("GET", "/pods", status=503)
    runpod.sim.faults.arm("status", method="GET", by="pod")
    runpod.ask("GET", "/pods", status=200)
    with_own.ask("GET", f"/pods/{made['id']}", status=503)
    with_own.close()


def test_no_capacity_and_empty_stock(runpod) -> None:
    runpod.sim.faults.arm("no_capacity")
    assert "no longer any instances" in runpod.ask("POST", "/pods", POD, status=400).json()["detail"]
    runpod.sim.faults.arm("empty_stock", count=2)
    query = {"include": "AVAILABILITY", "product": "POD"}
    gpus = runpod.ask("GET", "/catalog/gpus", params=query).json()["gpus"]
    assert {one["availability"] for one in gpus} == {"NONE"}
    runpod.ask("POST", "/pods", CPU_POD, status=400)
    runpod.ask("POST", "/pods", CPU_POD, status=201)


def test_lower_case_data_centers(runpod) -> None:
    made = runpod.pod(dataCenterIds=["eu-ro-1"])
    assert made["dataCenterId"] == "EU-RO-1"
    runpod.sim.faults.arm("lowercase_data_center")
    assert runpod.look(made)["dataCenterId"] == "eu-ro-1"
    assert runpod.look(made)["dataCenterId"] == "EU-RO-1"


def test_a_host_that_never_gets_ready(runpod) -> None:
    runpod.sim.faults.arm("never_ready")
    made = runpod.until(runpod.pod(), "STARTING")
    time.sleep(1)
    assert runpod.look(made)["status"] == "STARTING"
    assert runpod.sim.meter()["running_usd_per_h"] > 0.4, "and bills"
    runpod.until(runpod.pod(name="other"), "RUNNING")


def test_a_host_with_an_error(runpod) -> None:
    runpod.sim.faults.arm("error")
    made = runpod.until(runpod.pod(), "ERROR")
    assert made["actions"] == ["start", "terminate"]
    runpod.ask("POST", f"/pods/{made['id']}/action", {"action": "start"}, status=200)
    runpod.until(made, "RUNNING")


def test_a_gpu_that_fails(runpod) -> None:
    runpod.sim.faults.arm("bad_gpu")
    made = runpod.pod(args="sh -c 'nvidia-smi; echo code $?; sleep 60'")
    assert "Unable to determine the device handle" in runpod.log(made, lambda text: "code 255" in text)


def test_a_pod_that_dies(runpod) -> None:
    runpod.sim.faults.arm("dies", seconds=4)
    made = runpod.until(runpod.pod(), "RUNNING")
    eventually(lambda: runpod.ask("GET", f"/pods/{made['id']}").status_code == 404)
    assert runpod.sim.meter()["running_usd_per_h"] == 0


def test_a_program_that_starts_late(runpod) -> None:
    runpod.sim.faults.arm("slow_ssh", seconds=1.0)
    made = runpod.until(runpod.pod(args="sh -c 'echo born; sleep 60'", ports=["22/tcp"]), "RUNNING")
    assert made["ssh"]["direct"] is not None
    runpod.log(made, lambda text: "born" in text)
    path = f"/v2/pods/{made['id']}/logs"
    with runpod._http.stream("GET", path, params={"source": "container"}) as answer:
        line = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert seconds_of(json.loads(line[6:])["ts"]) >= seconds_of(made["startedAt"]) + 1.0


def test_a_list_that_lags_behind(runpod) -> None:
    runpod.sim.faults.arm("list_lags", seconds=4)
    made = runpod.pod()
    assert pods(runpod) == []
    runpod.look(made)
    eventually(lambda: len(pods(runpod)) == 1)


def test_a_refused_create_uses_up_no_fault_of_a_pod(runpod) -> None:
    runpod.sim.faults.arm("error")
    runpod.ask("POST", "/pods", {**POD, "gpu": {"id": "nothing"}}, status=400)
    runpod.until(runpod.pod(), "ERROR")


def test_they_are_armed_from_outside_too(runpod) -> None:
    fault = {"kind": "status", "method": "GET", "path": "/v2/catalog", "status": 500, "count": 3}
    runpod.ask("POST", "/simulator/faults", fault, status=201)
    runpod.ask("GET", f"/catalog/gpus/{GPU}", status=500)
    left = runpod.ask("GET", "/simulator/faults").json()["faults"]
    assert [(one["kind"], one["count"]) for one in left] == [("status", 2)]
    runpod.ask("DELETE", "/simulator/faults", status=204)
    runpod.ask("GET", f"/catalog/gpus/{GPU}", status=200)
    assert "known are" in runpod.ask("POST", "/simulator/faults", {"kind": "flood"}, status=400).text
