"""What a machine on Azure is told: commands of ours, a container that can do little, and nothing secret."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest
import yaml

from infra.azure.orders import COLLECT_UNIT, SETTINGS, HostOrders, host_files, host_orders
from infra.azure.sizes import choose_sizes
from infra.azure.start_text import AT_MOST_BYTES, start_text
from infra.errors import SettingsError
from infra.specs import Limits, TrainingJob
from infra.vm.cloud_init import cloud_init
from tests.infra.azure.test_first_boot_there import PLACES, text
from tests.infra.vm.test_cloud_init import written

HOST = HostOrders(
    machine_id="/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/m",
    account="acct",
    client_id="client",
    notes="night/host/01234567",
    gpu_log_address="https://logs/dataCollectionRules/r/streams/Custom-SonarstackGpu_CL",
    image="stamp.azurecr.io/images@sha256:abc",
    arguments=("train", "--run", "/runs/run"),
    variables={"SONARSTACK_DATA_URL": "az://data/night/0"},
    lease_until_s=1_800_000_000.0,
)


def test_the_container_sees_the_gpus_and_can_do_little_else() -> None:
    docker = " ".join(host_orders(HOST).docker)
    assert docker.startswith("--gpus all ")
    assert "--cap-drop ALL --security-opt no-new-privileges" in docker
    assert "--user 10001:10001" in docker
    assert "--log-driver json-file --log-opt max-size=100m --log-opt max-file=3" in docker
    assert "--privileged" not in docker


def test_the_program_is_told_the_account_and_whose_identity_it_has() -> None:
    variables = host_orders(HOST).variables
    assert (variables["AZURE_STORAGE_ACCOUNT_NAME"], variables["AZURE_CLIENT_ID"]) == ("acct", "client")


@pytest.mark.parametrize(
    ("image", "signs_in"),
    [
        ("stamp.azurecr.io/images@sha256:abc", True),
        ("docker.io/me/sonarstack@sha256:abc", False),
        ("azurecr.io.evil.example/images@sha256:abc", False),
        ("evil-azurecr.io/images@sha256:abc", False),
    ],
)
def test_its_token_is_shown_to_registries_of_azure_alone(image: str, signs_in: bool) -> None:
    assert bool(host_orders(replace(HOST, image=image)).sign_in) is signs_in


def test_its_end_is_a_delete_and_the_collector_cannot_hold_it_up() -> None:
    orders = host_orders(HOST)
    assert orders.end[-1] == orders.power_off
    assert orders.power_off[-1] == "end"
    assert "systemctl" not in orders.power_off
    assert orders.end[0][2].endswith("|| true")
    assert "TimeoutStopSec=40" in COLLECT_UNIT
    assert "Before=sonarstack.service" in COLLECT_UNIT
    assert orders.on_demand_after is None


def test_settings_name_the_addresses_of_the_public_cloud() -> None:
    settings = json.loads(host_files(HOST)[SETTINGS])
    assert settings == {
        "metadata": "http://169.254.169.254", "arm": "https://management.azure.com", "clientId": "client",
        "machineId": HOST.machine_id, "notes": "https://acct.blob.core.windows.net/runs/night/host/01234567",
        "registry": "stamp.azurecr.io", "exchange": "https://stamp.azurecr.io/oauth2/exchange",
        "gpuLog": HOST.gpu_log_address, "folder": "/var/lib/sonarstack",
    }  # fmt: skip


def started(**changed: Any) -> dict[str, Any]:
    """The orders within a start text."""
    return dict(json.loads(written(text(**changed))["/etc/sonarstack/machine.json"]))


def test_the_start_text_places_the_job() -> None:
    orders = started()
    assert orders["arguments"] == ["train", "--run", f"/runs/{PLACES.run_name}"]
    assert orders["leaseUntil"] == 4070908800.0
    variables = orders["variables"]
    assert variables["SONARSTACK_DATA_URL"] == f"az://data/{PLACES.data}"
    assert variables["SONARSTACK_LOG_GROUP"].endswith("/streams/Custom-Sonarstack_CL")
    assert "SONARSTACK_SECRET_ID" not in started(secret_id=None)["variables"]
    files = written(text())
    assert set(files) == {
        "/opt/sonarstack/machine.py", "/opt/sonarstack/machine_calls.py", "/opt/sonarstack/machine_collect.py",
        "/etc/sonarstack/machine.json", "/etc/sonarstack/azure.json", "/etc/systemd/system/sonarstack.service",
        "/etc/systemd/system/sonarstack-collect.service",
    }  # fmt: skip
    assert json.loads(files["/etc/sonarstack/azure.json"])["machineId"] == PLACES.machine_id
    assert {one["permissions"] for one in yaml.safe_load(text())["write_files"]} == {"0600"}


def test_several_gpus_are_one_process_each() -> None:
    job = TrainingJob(limits=Limits(max_hours=1), data_url="")
    eight = choose_sizes(("Standard_ND96asr_v4",))[0]
    words = {"secret_id": None, "client_id": "c", "log_address": "l", "gpu_log_address": None}
    start = start_text(PLACES, job, eight, image="r/i@sha256:a", lease_until="2099-01-01T00:00:00Z", **words)
    orders = json.loads(written(start)["/etc/sonarstack/machine.json"])
    assert orders["variables"]["SONARSTACK_NPROC"] == "auto"


def test_azure_takes_more_than_others_and_no_more_than_it_says() -> None:
    noise = {"LONG": random.Random(1).randbytes(20_000).hex()}
    long = replace(HOST, variables=noise)
    assert len(cloud_init(host_orders(long), at_most_bytes=AT_MOST_BYTES).encode()) > 16384
    with pytest.raises(SettingsError, match="at most 16384"):
        cloud_init(host_orders(long))
    longer = replace(HOST, variables={"LONG": random.Random(1).randbytes(60_000).hex()})
    with pytest.raises(SettingsError, match="at most 65535"):
        cloud_init(host_orders(longer), at_most_bytes=AT_MOST_BYTES)
