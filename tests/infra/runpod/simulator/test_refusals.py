"""What the service refuses, and with which status."""

import pytest

from tests.infra.runpod.simulator.asking import CPU_POD, GPU, POD, Account, account

FULL = "There are no longer any instances available with the requested specifications. Please refresh and try again."


def pod(**fields: object) -> dict:
    return {name: value for name, value in {**POD, **fields}.items() if value is not None}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (pod(interruptible=True), "$: additional properties 'interruptible' not allowed"),
        (pod(gpu={"id": GPU, "bidPerGpu": 1}), "$.gpu: additional properties 'bidPerGpu' not allowed"),
        (pod(name=None), "$: missing property 'name'"),
        (pod(image=None), "$: missing property 'image'"),
        (pod(mounts={"network": [{"volumeId": "v"}]}), "$.mounts.network[0]: missing property 'path'"),
        (pod(cloud="ALL"), "$.cloud: value must be one of"),
        (pod(env={"A": 1}), "$.env.A: got number, want string"),
        ([], "$: got array, want object"),
    ],
)
def test_a_body_beyond_the_contract(runpod, body: object, named: str) -> None:
    answer = runpod.ask("POST", "/pods", body, status=422).json()
    assert any(one.startswith(named) for one in answer["errors"]), answer


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (pod(cpu=CPU_POD["cpu"]), "exactly one of gpu or cpu"),
        (pod(gpu=None), "exactly one of gpu or cpu"),
        (
            pod(gpu={"id": GPU, "allowedCudaVersions": ["12.8"], "minCudaVersion": "12.1"}),
            "mutually exclusive",
        ),
        (pod(gpu={"id": GPU, "allowedCudaVersions": ["9.9"]}), FULL),
        (pod(gpu={"id": "NVIDIA A100 40GB"}), "NVIDIA A100 40GB"),
        (pod(gpu={"id": GPU, "count": 9}), FULL),
        (pod(gpu={"id": "NVIDIA A40"}, cloud="COMMUNITY"), FULL),
        (pod(dataCenterIds=["US-CA-2"]), FULL),
        (pod(dataCenterIds=["XX-YY-9"]), FULL),
        (pod(ports=["22"]), "port/protocol"),
        (pod(args="it's"), "args cannot be split"),
        (pod(env={f"V{n}": "" for n in range(51)}), "at most 50"),
        (pod(mounts={"persistent": {"size": 10, "path": "/etc/x"}}), "outside of"),
        (
            pod(
                mounts={
                    "persistent": {"size": 10, "path": "/w"},
                    "network": [{"volumeId": "v", "path": "/w"}],
                }
            ),
            "mutually exclusive",
        ),
        ({**CPU_POD, "cpu": {"id": "cpu3c", "vcpuCount": 6}}, "power of two"),
        ({**CPU_POD, "cpu": {"id": "cpu9", "vcpuCount": 2}}, "cpu9"),
        ({**CPU_POD, "cloud": "COMMUNITY"}, "SECURE cloud only"),
        ({**CPU_POD, "mounts": {"persistent": {"size": 10, "path": "/w"}}}, "not available on CPU pods"),
    ],
)
def test_a_rule_across_fields(runpod, body: dict, said: str) -> None:
    assert said in runpod.ask("POST", "/pods", body, status=400).json()["detail"]
    assert runpod.ask("GET", "/pods").json() == {"pods": []}


def test_no_constraint_may_accompany_a_floor(runpod) -> None:
    runpod.pod(gpu={"id": GPU, "allowedCudaVersions": [], "minCudaVersion": "12.1"})


def test_a_volume_and_its_pod_must_fit(runpod) -> None:
    volume = runpod.ask("POST", "/network-volumes", {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}).json()
    path = str(runpod.sim.allowed / "w")
    mounts = {"network": [{"volumeId": volume["id"], "path": path}]}
    other = runpod.ask("POST", "/pods", pod(mounts=mounts, dataCenterIds=["US-KS-2"]), status=400)
    assert "EU-RO-1" in other.json()["detail"]
    runpod.ask("POST", "/pods", pod(mounts=mounts, cloud="COMMUNITY"), status=400)
    outside = {"network": [{"volumeId": volume["id"], "path": "/workspace"}]}
    assert "--allowed" in runpod.ask("POST", "/pods", pod(mounts=outside), status=400).json()["detail"]
    missing = {"network": [{"volumeId": "nothing", "path": path}]}
    runpod.ask("POST", "/pods", pod(mounts=missing), status=404)
    made = runpod.pod(mounts=mounts)
    assert made["dataCenterId"] == "EU-RO-1", "it goes where its volume is"
    runpod.ask("DELETE", f"/network-volumes/{volume['id']}", status=400)


def test_references_that_do_not_exist(runpod) -> None:
    runpod.ask("POST", "/pods", pod(registry="nothing"), status=404)
    runpod.ask("POST", "/pods", pod(templateId="nothing"), status=404)


def test_keys(runpod) -> None:
    assert runpod.ask("GET", "/pods", headers={"Authorization": ""}, status=401).json()["detail"] == (
        "missing bearer token"
    )
    runpod.ask("GET", "/pods", headers={"Authorization": "Bearer wrong"}, status=401)


def own_key(client: Account, made: dict) -> Account:
    return Account(client.sim, client.sim.simulation.state.pods[made["id"]].own_key)


def test_a_pods_own_key_is_for_its_own_pod(runpod) -> None:
    mine, other = runpod.pod(), runpod.pod()
    with_own = own_key(runpod, mine)
    with_own.ask("GET", f"/pods/{mine['id']}", status=200)
    with_own.ask("GET", f"/pods/{other['id']}", status=403)
    with_own.ask("DELETE", f"/pods/{other['id']}", status=403)
    with_own.ask("GET", "/pods", status=403)
    with_own.ask("POST", "/pods", POD, status=403)
    with_own.ask("POST", f"/pods/{mine['id']}/action", {"action": "stop"}, status=403)
    runpod.sim.faults.arm("key_refused", method="DELETE")
    with_own.ask("DELETE", f"/pods/{mine['id']}", status=403)
    with_own.ask("DELETE", f"/pods/{mine['id']}", status=204)
    with_own.ask("GET", f"/pods/{mine['id']}", status=401)
    with_own.close()


def test_a_pods_own_key_may_be_refused_altogether(tmp_path) -> None:
    with account(tmp_path, pod_keys=False) as client:
        made = client.pod()
        with_own = own_key(client, made)
        with_own.ask("GET", f"/pods/{made['id']}", status=403)
        with_own.close()


def test_paths_and_methods(runpod) -> None:
    http = runpod._http
    assert http.get("/v2/nothing").status_code == 404
    put = http.put("/v2/pods", json={})
    assert (put.status_code, put.headers["Allow"]) == (405, "GET, POST")
    assert http.get("/v2/templates").status_code == 501
    assert http.post("/v2/pods", content=b"{").status_code == 400


def test_rate_limits(tmp_path) -> None:
    with account(tmp_path, requests_per_minute=3) as client:
        first = client.ask("GET", "/pods", status=200)
        assert first.headers["RateLimit-Policy"].startswith('"minute";q=3;w=60')
        assert '"minute";r=2' in first.headers["RateLimit"]
        for _ in range(2):
            client.ask("GET", "/pods", status=200)
        over = client.ask("GET", "/pods", status=429)
        assert 1 <= int(over.headers["Retry-After"]) <= 60
        assert "minute" in over.json()["detail"]
