"""Every operation, with every answer judged by the contract."""

import pytest

from tests.infra.runpod.simulator.asking import CPU_POD, GPU, POD, account

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILXGDN/SclOozk1xsDztpmhGiKkkrfQB9SKoO8dSIQQZ me@example.com"
VOLUME = {"name": "v", "size": 20, "dataCenter": "EU-RO-1"}


def test_a_pod_from_create_to_delete(runpod) -> None:
    made = runpod.pod(ports=["22/tcp", "8888/http"], env={"A": "b"}, disk=40)
    assert (made["status"], made["cost"], made["env"]) == ("PROVISIONING", 0.44, {"A": "b"})
    assert made["runtime"] is None
    assert made["ssh"] == {"proxy": None, "direct": None}
    ready = runpod.until(made, "RUNNING")
    assert ready["ssh"]["direct"]["host"] == "127.0.0.1"
    assert ready["runtime"]["gpus"]
    assert ready["startedAt"] >= ready["createdAt"]
    listed = runpod.ask("GET", "/pods?includeClusterPods=false&bogus=1", status=200).json()["pods"]
    assert [one["id"] for one in listed] == [made["id"]]
    runpod.ask("DELETE", f"/pods/{made['id']}", status=204)
    runpod.ask("GET", f"/pods/{made['id']}", status=404)
    runpod.ask("DELETE", f"/pods/{made['id']}", status=404)
    assert runpod.ask("GET", "/pods").json() == {"pods": []}


def test_no_ssh_address_without_its_port(runpod) -> None:
    made = runpod.pod(ports=["8888/http"])
    assert runpod.until(made, "RUNNING")["ssh"]["direct"] is None


def test_a_cpu_pod(runpod) -> None:
    made = runpod.ask("POST", "/pods", CPU_POD, status=201).json()
    assert made["cpu"] == {"id": "cpu3c", "vcpuCount": 2, "memory": 4}
    assert "gpu" not in made
    assert made["cost"] == pytest.approx(0.06)
    assert made["cudaVersion"] is None
    assert "gpus" not in runpod.until(made, "RUNNING")["runtime"]


def test_actions_by_status(runpod) -> None:
    made = runpod.pod()
    path = f"/pods/{made['id']}/action"
    runpod.ask("POST", path, {"action": "start"}, status=409)
    runpod.until(made, "RUNNING")
    assert runpod.ask("POST", path, {"action": "restart"}, status=200).json()["status"] == "STARTING"
    runpod.until(made, "RUNNING")
    stopped = runpod.ask("POST", path, {"action": "stop"}, status=200).json()
    assert (stopped["status"], stopped["cost"], stopped["actions"]) == ("EXITED", 0.0, ["start", "terminate"])
    runpod.ask("POST", path, {"action": "stop"}, status=409)
    runpod.ask("POST", path, {"action": "start"}, status=200)
    runpod.until(made, "RUNNING")
    runpod.ask("POST", path, {"action": "fly"}, status=422)
    runpod.ask("POST", path, {"action": "terminate"}, status=204)
    runpod.ask("POST", path, {"action": "terminate"}, status=404)


def test_edits_and_what_they_reset(runpod) -> None:
    made = runpod.until(runpod.pod(), "RUNNING")
    path = f"/pods/{made['id']}"
    renamed = runpod.ask("PATCH", path, {"name": "other", "locked": True}, status=200).json()
    assert (renamed["name"], renamed["locked"], renamed["status"]) == ("other", True, "RUNNING")
    runpod.ask("PATCH", path, {"env": {"A": "1"}}, status=409)
    runpod.ask("POST", f"{path}/action", {"action": "stop"}, status=409)
    reset = runpod.ask("PATCH", path, {"env": {"A": "1"}, "locked": False}, status=200).json()
    assert (reset["env"], reset["status"]) == ({"A": "1"}, "STARTING")
    runpod.ask("PATCH", path, {"gpu": {"id": GPU}}, status=422)
    runpod.ask("PATCH", path, {"templateId": "t"}, status=404)
    runpod.ask("PATCH", path, {"mounts": {"network": []}}, status=400)
    runpod.ask("PATCH", path, {"mounts": {"persistent": {"size": 10, "path": "/x"}}}, status=400)
    runpod.ask("PATCH", path, {}, status=200)


def test_network_volumes(runpod) -> None:
    made = runpod.ask("POST", "/network-volumes", VOLUME, status=201).json()
    path = f"/network-volumes/{made['id']}"
    assert made["type"] == "STANDARD"
    assert runpod.ask("GET", path).json() == made
    assert runpod.ask("PATCH", path, {"size": 30, "name": "w"}, status=200).json()["size"] == 30
    assert "reduced" in runpod.ask("PATCH", path, {"size": 20}, status=400).json()["detail"]
    runpod.ask("PATCH", path, {}, status=422)
    assert runpod.ask("GET", "/network-volumes").json()["networkVolumes"][0]["name"] == "w"
    without = runpod.ask("POST", "/network-volumes", {**VOLUME, "dataCenter": "US-TX-3"}, status=400)
    assert "EU-RO-1" in without.json()["detail"], "it names those that have volumes"
    runpod.ask("POST", "/network-volumes", {**VOLUME, "type": "HIGH_PERFORMANCE"}, status=201)
    runpod.ask("POST", "/network-volumes", {**VOLUME, "size": 5}, status=422)
    runpod.ask("DELETE", path, status=204)
    runpod.ask("DELETE", path, status=404)


def test_registries_and_ssh_keys(runpod) -> None:
    body = {"name": "r", "username": "u", "password": "planted-secret"}
    made = runpod.ask("POST", "/registries", body, status=201)
    assert "planted-secret" not in made.text
    path = f"/registries/{made.json()['id']}"
    assert runpod.ask("GET", path, status=200).json() == made.json()
    assert runpod.ask("GET", "/registries").json()["registries"] == [made.json()]
    pod = runpod.pod(registry=made.json()["id"])
    runpod.ask("DELETE", path, status=400)
    runpod.ask("DELETE", f"/pods/{pod['id']}", status=204)
    runpod.ask("DELETE", path, status=204)
    runpod.ask("GET", path, status=404)
    assert runpod.ask("GET", "/account/ssh-keys").json() == {"keys": []}
    assert runpod.ask("PUT", "/account/ssh-keys", {"keys": [KEY]}, status=200).json() == {"keys": [KEY]}
    runpod.ask("PUT", "/account/ssh-keys", {"keys": ["nonsense"]}, status=422)


def test_the_catalogue_and_its_filters(runpod) -> None:
    def gpus(query: str = "", status: int = 200) -> list[dict]:
        return runpod.ask("GET", f"/catalog/gpus{query}", status=status).json().get("gpus", [])

    plain = {one["id"]: one for one in gpus()}
    assert "availability" not in plain[GPU]
    assert plain[GPU]["price"] == {"secure": 0.44, "community": 0.31}
    stock = {one["id"]: one for one in gpus("?include=AVAILABILITY&product=POD")}
    assert stock[GPU]["availability"] == "HIGH"
    assert {one["id"] for one in stock[GPU]["dataCenters"]} >= {"EU-RO-1", "US-KS-2"}
    assert "dataCenters" not in stock["Tesla V100-SXM2-32GB"], "community only, and secure is the default"
    community = {one["id"]: one for one in gpus("?include=AVAILABILITY&product=POD&cloud=COMMUNITY&count=4")}
    assert community["NVIDIA A40"]["availability"] == "NONE"
    assert community[GPU]["availability"] == "LOW"
    french = gpus("?include=AVAILABILITY&product=POD&countryCodes=RO")
    assert {center["id"] for one in french for center in one.get("dataCenters", ())} == {"EU-RO-1"}
    newest = gpus("?include=AVAILABILITY&product=POD&minCudaVersion=13")
    assert all(v["version"] == "13.0" for one in newest for v in one.get("cudaVersions", ()))
    for query in ("?include=AVAILABILITY", "?product=POD", "?count=2",
                  "?include=AVAILABILITY&product=POD&cudaVersions=12.8&minCudaVersion=12"):  # fmt: skip
        gpus(query, 400)
    for query in ("?include=STOCK", "?include=AVAILABILITY&product=POD&count=0",
                  "?include=AVAILABILITY&product=POD&cudaVersions=12"):  # fmt: skip
        gpus(query, 422)
    runpod.ask("GET", f"/catalog/gpus/{GPU}", status=200)
    runpod.ask("GET", "/catalog/gpus/NVIDIA A100 40GB", status=404)
    assert runpod.ask("GET", "/catalog/cpus?include=AVAILABILITY&product=POD&vcpuCount=4").json()["cpus"]
    runpod.ask("GET", "/catalog/cpus/cpu3c", status=200)
    runpod.ask("GET", "/catalog/cpus?include=AVAILABILITY&product=POD&vcpuCount=3", status=400)
    europe = runpod.ask(
        "GET", "/catalog/datacenters?regions=EUROPE&include=GPU_AVAILABILITY,CPU_AVAILABILITY"
    )
    assert all(one["region"] == "EUROPE" and one["gpuAvailability"] for one in europe.json()["dataCenters"])
    both = runpod.ask(
        "GET", "/catalog/datacenters?networkVolumeTypes=STANDARD,HIGH_PERFORMANCE&globalNetwork=true"
    )
    assert {one["id"] for one in both.json()["dataCenters"]} == {"EU-RO-1", "US-KS-2"}
    runpod.ask("GET", "/catalog/datacenters/EU-RO-1", status=200)
    runpod.ask("GET", "/catalog/datacenters/XX", status=404)


def test_stock_goes_down_with_what_is_rented(runpod) -> None:
    runpod.sim.set_stock(1, id_=GPU, data_center="EU-RO-1", cloud="SECURE")
    wish = {"dataCenterIds": ["EU-RO-1"]}
    first = runpod.pod(**wish)
    refused = runpod.ask("POST", "/pods", {**POD, **wish}, status=400)
    assert "no longer any instances available" in refused.json()["detail"]
    runpod.ask("POST", f"/pods/{first['id']}/action", {"action": "stop"}, status=200)
    second = runpod.pod(**wish)
    start = runpod.ask("POST", f"/pods/{first['id']}/action", {"action": "start"}, status=400)
    assert "not enough free GPUs" in start.json()["detail"]
    runpod.ask("DELETE", f"/pods/{second['id']}", status=204)
    runpod.ask("POST", f"/pods/{first['id']}/action", {"action": "start"}, status=200)


def test_stock_and_prices_drift_by_their_seed_alone(tmp_path) -> None:
    def look(folder: str, **options: object) -> list[tuple]:
        with account(tmp_path / folder, **options) as client:
            client.sim.simulation.clock.anchors[:] = [(0.0, 0.0, 1e-9)]
            seen = []
            for _ in range(4):
                found = client.ask("GET", "/catalog/gpus?include=AVAILABILITY&product=POD").json()["gpus"]
                seen.append(tuple((one["price"]["secure"], one["availability"]) for one in found))
                client.ask("POST", "/simulator/clock", {"advance_s": 3600}, status=200)
            return seen

    first = look("a", moving=True, seed=1)
    assert len(set(first)) == 4
    assert look("b", moving=True, seed=1) == first
    assert look("c", moving=True, seed=2) != first
    assert len(set(look("d"))) == 1


def test_stock_and_prices_by_hand(runpod) -> None:
    def gpu() -> dict:
        return runpod.ask("GET", f"/catalog/gpus/{GPU}?include=AVAILABILITY&product=POD", status=200).json()

    runpod.ask("POST", "/simulator/stock", {"units": 0, "id": GPU, "cloud": "SECURE"}, status=200)
    assert gpu()["availability"] == "NONE"
    runpod.ask("POST", "/simulator/stock", {"units": 1, "id": GPU, "dataCenter": "EU-CZ-1"}, status=200)
    assert [one["id"] for one in gpu()["dataCenters"]] == ["EU-CZ-1"]
    runpod.ask("POST", "/simulator/stock", {"id": GPU, "cloud": "SECURE", "usdPerH": 0.99}, status=200)
    made = runpod.pod()
    assert (gpu()["price"]["secure"], made["cost"], made["dataCenterId"]) == (0.99, 0.99, "EU-CZ-1")
    runpod.ask("POST", "/simulator/stock", {"id": GPU, "cloud": "SECURE", "usdPerH": 0.11}, status=200)
    assert runpod.look(made)["cost"] == 0.99, "the price of the hour in which it was rented"
    runpod.ask("POST", "/simulator/stock", {"reset": True}, status=200)
    assert (gpu()["price"]["secure"], gpu()["availability"]) == (0.44, "HIGH")
    runpod.ask("POST", "/simulator/stock", {"units": 1, "id": "nothing"}, status=400)
    runpod.ask("POST", "/simulator/stock", {"units": True}, status=400)


def test_an_image_without_args_runs_what_was_said(tmp_path) -> None:
    with account(tmp_path, image_commands={POD["image"]: "echo its own command"}) as client:
        assert "its own command" in client.log(client.pod(args=""), lambda text: "own" in text)
