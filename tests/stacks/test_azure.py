"""The Azure stack whole, under mocks: every resource by name and type, and what holds for all of them together."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.azure import account as account_module
from infra.azure.errors import AzureError
from infra.azure.kept import KeptParts
from infra.azure.owned import LEASE, STAMP
from infra.azure.preflight import assumed_account
from infra.errors import SettingsError
from stacks.azure import deploy
from stacks.mock_run import Declared, declare
from tests.stacks.azure_stack import declared, declared_anew, declared_for, settings

GOLDEN = Path(__file__).with_name("azure_resources.txt")
UNTAGGED = {
    "BlobContainer", "BlobServiceProperties", "Budget", "DataCollectionRuleAssociation", "ManagementPolicy",
    "PrivateDnsZoneGroup", "RoleAssignment", "RoleDefinition", "Subnet", "Table",
}  # fmt: skip
"""Types that Azure has no tags for, each of which belongs to one that has."""
EVERYTHING = {
    "notifyUrl": "json://host/PLANTED-WORD", "budgetEmail": "me@example.org", "budgetUsd": "50", "bastion": "true",
    "login": "entra",
}  # fmt: skip
MACHINE = "training-host-machine"


def kinds(found: Mapping[str, Declared], suffix: str) -> list[Declared]:
    return [one for one in found.values() if one.token.endswith(f":{suffix}")]


def files_of(found: Mapping[str, Declared]) -> dict[str, str]:
    """What cloud-init writes, by path."""
    text = base64.b64decode(found[MACHINE].inputs["osProfile"]["customData"]).decode()
    return {
        one["path"]: gzip.decompress(base64.b64decode(one["content"])).decode()
        for one in yaml.safe_load(text)["write_files"]
    }


def orders_of(found: Mapping[str, Declared]) -> dict[str, Any]:
    return dict(json.loads(files_of(found)["/etc/sonarstack/machine.json"]))


def test_the_list_of_resources_is_the_golden_one() -> None:
    lines = []
    for one in declared(**EVERYTHING).values():
        marks = ",".join(sorted(one.inputs.get("tags") or {}))
        name = re.sub("training-lease-[0-9a-f]{8}-0", "training-lease-JOB-0", one.name)
        lines.append(f"{one.token}  {name}" + (f"  [{marks}]" if marks else "") + ("  kept" * one.retained))
    assert sorted(lines) == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("network", ["cheap", "private"])
def test_whatever_can_carry_the_stamp_does(network: str) -> None:
    for one in declared(network=network, **EVERYTHING).values():
        if one.token.startswith("azure-native:") and one.token.rsplit(":", 1)[-1] not in UNTAGGED:
            assert STAMP in (one.inputs.get("tags") or {}), one.name


def test_the_machine_carries_stamp_and_lease() -> None:
    assert {STAMP, LEASE} <= declared()[MACHINE].inputs["tags"].keys()


def test_everything_lies_in_the_one_group_of_the_stack() -> None:
    found = declared(network="private", **EVERYTHING)
    (group,) = kinds(found, "ResourceGroup")
    for one in found.values():
        if "resourceGroupName" in one.inputs:
            assert one.inputs["resourceGroupName"] == group.inputs["resourceGroupName"], one.name
        elif one.token.startswith("azure-native:"):
            place = str(one.inputs.get("scope") or one.inputs.get("resourceUri"))
            assert f"/resourceGroups/{group.inputs['resourceGroupName']}" in place, one.name


def test_timer_rights_and_data_are_there_before_the_machine() -> None:
    found = declared()
    before = set(found[MACHINE].after)
    for name in (
        "training-deadline-timer", "training-data", "training-ground-identity-runs", "training-ground-identity-data",
        "training-ground-identity-end", "training-ground-identity-images", "training-rescue-run",
    ):  # fmt: skip
        assert found[name].urn in before, name
    assert found["training-ground-end-right"].urn in found["training-deadline-timer"].after
    assert found[MACHINE].urn in found["training-run"].after
    assert found["training-ground-storage-caller-data"].urn in found["training-data"].after
    assert found["training-ground-storage-caller-runs"].urn in found["training-rescue-run"].after


def test_what_rescues_the_run_looks_where_the_job_writes() -> None:
    found = declared()
    (rescue,) = kinds(found, "RunRescue")
    (run,) = kinds(found, "TrainingRun")
    assert {key: rescue.inputs[key] for key in ("runHost", "runPath", "home")} == {
        key: run.inputs[key] for key in ("runHost", "runPath", "home")
    }
    assert "training-rescue-run-2" in declared(rerun="2")


def test_timer_and_alarm_aim_at_the_machine_by_its_id() -> None:
    found = declared()
    name = found[MACHINE].inputs["vmName"]
    for workflow in kinds(found, "Workflow"):
        (action,) = workflow.inputs["definition"]["actions"].values()
        assert action["inputs"]["method"] == "DELETE"
        assert f"/virtualMachines/{name}?api-version=" in action["inputs"]["uri"]
    assert {one.name for one in kinds(found, "Workflow")} == {"training-deadline-timer", "training-idle-end"}


def test_another_job_or_the_next_try_is_another_machine_and_the_same_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"x")
    texts = {"dataUrl": str(tmp_path)}

    def name(**changed: str) -> str:
        return str(declared_anew(**texts, **changed)[MACHINE].inputs["vmName"])

    first = name()
    assert name() == first
    names = {first, name(recipe="fine_tune"), name(rerun="2")}
    account = replace(assumed_account("eastus", settings().chosen_sizes), attempt=1)
    second = declared_for(account, **texts)
    names.add(second[MACHINE].inputs["vmName"])
    (tmp_path / "two.png").write_bytes(b"y")
    names.add(name())
    assert len(names) == 5
    # The next try finds the notes and the run of the one before.
    earlier = declared_anew(dataUrl=str(tmp_path))["training-run"].inputs
    assert second["training-run"].inputs["runPath"] == earlier["runPath"]
    where = [
        declared_for(replace(account, attempt=n), **texts)["training-run"].inputs["where"] for n in (0, 1)
    ]
    assert where[0]["notes"] == where[1]["notes"]
    assert where[0]["machine"] != where[1]["machine"]
    # The old machine's lease is closed after the new one's begins.
    assert second.keys() - declared_anew(**texts).keys() == {one.name for one in kinds(second, "Lease")}


@pytest.mark.parametrize("network", ["cheap", "private"])
def test_nothing_comes_in_and_the_machine_has_no_address(network: str) -> None:
    found = declared(network=network)
    for group in kinds(found, "NetworkSecurityGroup"):
        for rule in group.inputs["securityRules"]:
            if rule["direction"] == "Inbound" and rule["access"] == "Allow":
                # Of the endpoints' subnet: the machine's, and nobody else.
                assert group.name == "training-ground-network-endpoints-ways", group.name
                assert rule["sourceAddressPrefix"] not in ("*", "Internet")
    for card in found[MACHINE].inputs["networkProfile"]["networkInterfaceConfigurations"]:
        for way in card["ipConfigurations"]:
            assert "publicIPAddressConfiguration" not in way
    for subnet in kinds(found, "Subnet"):
        assert subnet.inputs["defaultOutboundAccess"] is False


def test_every_disk_and_every_byte_is_encrypted_by_the_stack_s_key() -> None:
    found = declared()
    disk = found[MACHINE].inputs["storageProfile"]["osDisk"]["managedDisk"]
    assert disk["diskEncryptionSet"]["id"].endswith("-disks")
    assert found[MACHINE].inputs["securityProfile"]["encryptionAtHost"] is True
    (account,) = kinds(found, "StorageAccount")
    encryption = account.inputs["encryption"]
    assert (encryption["keySource"], encryption["requireInfrastructureEncryption"]) == (
        "Microsoft.Keyvault",
        True,
    )
    assert account.inputs["allowSharedKeyAccess"] is False
    assert account.inputs["allowBlobPublicAccess"] is False
    assert account.inputs["networkRuleSet"]["defaultAction"] == "Deny"


def test_no_secret_is_in_any_input_and_the_machine_is_told_where_it_lies() -> None:
    found = declared(**EVERYTHING)
    assert "PLANTED-WORD" not in json.dumps([dict(one.inputs) for one in found.values()])
    assert "PLANTED-WORD" not in json.dumps(files_of(found))
    variables = orders_of(found)["variables"]
    assert variables["SONARSTACK_SECRET_ID"].startswith("azure:https://")
    assert "SONARSTACK_NOTIFY_URL" not in variables


def test_the_machine_is_told_the_same_places_as_the_run() -> None:
    found = declared()
    files, run, data = files_of(found), found["training-run"].inputs, found["training-data"].inputs
    variables = orders_of(found)["variables"]
    assert variables["SONARSTACK_RUN_URL"] == f"{run['runHost']['bucket']}/{run['runPath']}"
    assert variables["SONARSTACK_DATA_URL"] == f"{data['host']['bucket']}/{data['target']}"
    assert variables["AZURE_STORAGE_ACCOUNT_NAME"] == run["where"]["account"] == data["host"]["account"]
    assert variables["AZURE_CLIENT_ID"] == "sonarstack-night-06a634-machine-client"
    told = json.dumps(files)
    assert run["where"]["notes"] in told
    assert f"/virtualMachines/{run['where']['machine']}" in told


def test_all_gpus_of_a_machine_train() -> None:
    assert "SONARSTACK_NPROC" not in orders_of(declared())["variables"]
    many = declared(sizes='["Standard_ND96asr_v4"]', maxUsdPerH="28")
    assert orders_of(many)["variables"]["SONARSTACK_NPROC"] == "auto"


def test_no_input_holds_the_text_of_what_is_not_known_yet() -> None:
    for one in declared(**EVERYTHING).values():
        assert "Calling __str__ on an Output" not in json.dumps(dict(one.inputs)), one.name


def test_storage_that_is_kept_keeps_its_locks_and_its_key() -> None:
    kept = {one.token.rsplit(":", 1)[-1] for one in declared().values() if one.retained}
    assert {
        "ResourceGroup",
        "StorageAccount",
        "BlobContainer",
        "Vault",
        "Key",
        "UserAssignedIdentity",
    } <= kept
    # A key has no end of its own at Azure: it goes with its vault.
    gone = declared(keepBucket="false")
    assert [one.name for one in gone.values() if one.retained] == ["training-ground-key-key"]


def test_what_an_earlier_stack_left_is_taken_up() -> None:
    first = declared()
    ids = {one.inputs.get("vaultName") for one in kinds(first, "Vault")}
    account = assumed_account("eastus", settings().chosen_sizes)
    group = f"/subscriptions/{account.subscription_id}/resourceGroups/sonarstack-night-06a634-azure"
    storage = kinds(first, "StorageAccount")[0].inputs["accountName"]
    vault = "sonar-keys-0123456789"
    left = frozenset(
        one.lower()
        for one in (
            group,
            f"{group}/providers/Microsoft.Storage/storageAccounts/{storage}",
            f"{group}/providers/Microsoft.KeyVault/vaults/{vault}",
        )
    )
    assert vault not in ids
    found = declared_for(replace(account, kept=KeptParts(location="eastus", ids=left)))
    assert found["training-ground-key-vault"].inputs["vaultName"] == vault
    for name in ("training-ground-storage-account", "training-ground-key-vault"):
        assert found[name].import_id.lower() in left, name
    assert not first["training-ground-storage-account"].import_id


def test_spot_has_its_limit_and_is_deleted_when_taken_and_on_demand_has_none() -> None:
    spot = declared()[MACHINE].inputs
    assert (spot["priority"], spot["evictionPolicy"], spot["billingProfile"]["maxPrice"]) == (
        "Spot",
        "Delete",
        0.6,
    )
    steady = declared(market="on_demand")[MACHINE].inputs
    assert steady.get("priority", "Regular") == "Regular"
    assert "billingProfile" not in steady
    assert "evictionPolicy" not in steady


def test_another_image_is_pushed_by_a_token_of_its_day() -> None:
    image = declared()["training-ground-image-cloud"]
    assert (image.ignored, image.replaced_on) == (("registry",), ("imageName",))


def test_a_machine_whose_job_is_over_is_left_as_it_was() -> None:
    account = assumed_account("eastus", settings().chosen_sizes)
    found = declared_for(replace(account, over=True))
    for name in (MACHINE, "training-host-agent"):
        assert found[name].ignored == ("*",), name
    assert declared()[MACHINE].ignored == ("storageProfile.imageReference.version",)


def test_an_image_s_version_that_somebody_chose_is_what_the_machine_has() -> None:
    chosen = declared(imageVersion="22.04.2025120901")[MACHINE]
    assert chosen.inputs["storageProfile"]["imageReference"]["version"] == "22.04.2025120901"
    assert chosen.ignored == ()


def test_the_daily_shutdown_is_left_out_where_it_could_come_before_the_deadline() -> None:
    assert kinds(declared(maxHours="6"), "GlobalSchedule")
    assert not kinds(declared(maxHours="48"), "GlobalSchedule")


@pytest.mark.parametrize(
    ("changed", "there"),
    [({}, False), ({"bastion": "true"}, True)],
)
def test_a_bastion_only_where_it_is_asked_for(changed: dict[str, str], there: bool) -> None:
    found = declared(**changed)
    assert bool(kinds(found, "BastionHost")) is there
    assert ("bastion" in found["training-run"].inputs["where"]) is there


def test_up_without_a_log_in_is_one_line_before_anything_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody:
        def get_token(self, *_: str, **__: Any) -> Any:
            from azure.core.exceptions import ClientAuthenticationError

            raise ClientAuthenticationError("nobody is logged in")

    monkeypatch.setattr(account_module, "credential", Nobody)
    wanted = settings(image="docker.io/me/mine@sha256:0")
    with pytest.raises(AzureError, match="az login") as caught:
        declare(lambda: deploy(wanted, "night"), project="sonarstack", stack="night")
    assert "\n" not in str(caught.value)


def test_up_without_docker_and_without_an_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacks.machine_job.shutil.which", lambda _: None)
    monkeypatch.setattr("stacks.machine_job.Path.exists", lambda _: False)
    with pytest.raises(SettingsError, match="needs Docker; start it, or name an image"):
        declare(lambda: deploy(settings(), "night"), project="sonarstack", stack="night")
