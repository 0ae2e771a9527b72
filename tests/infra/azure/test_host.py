"""The machine on Azure: what it is rented as, what is encrypted, that nothing comes in, and what goes when it goes."""

import base64
from dataclasses import replace

import pytest

from infra.azure.end_right import EndRight
from infra.azure.guard import Deadline
from infra.azure.host import Host, HostArgs
from infra.azure.roles import ADMIN_LOGIN
from stacks.mock_run import Declared
from tests.infra.azure.guard_things import (
    DEADLINE,
    GROUP_ID,
    HOST,
    IDENTITY,
    LOGIN,
    MACHINE,
    RIGHT,
    RULE,
    START_TEXT,
)
from tests.infra.azure.things import component
from tests.infra.declared import made, of_type


def machine(args: HostArgs = HOST) -> Declared:
    (one,) = of_type(made(lambda: Host("it", args)), "VirtualMachine")
    return one


def test_spot_has_a_limit_and_leaves_nothing_when_it_is_taken() -> None:
    inputs = machine().inputs
    assert (inputs["priority"], inputs["evictionPolicy"]) == ("Spot", "Delete")
    assert inputs["billingProfile"] == {"maxPrice": 0.4}


def test_on_demand_has_neither_limit_nor_eviction() -> None:
    inputs = machine(replace(HOST, market="on_demand")).inputs
    assert inputs["priority"] == "Regular"
    assert not {"evictionPolicy", "billingProfile"} & inputs.keys()


def test_disk_and_interface_go_with_the_machine() -> None:
    inputs = machine().inputs
    assert inputs["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert "dataDisks" not in inputs["storageProfile"]
    (card,) = inputs["networkProfile"]["networkInterfaceConfigurations"]
    assert card["deleteOption"] == "Delete"
    assert "networkInterfaces" not in inputs["networkProfile"]


def test_nothing_comes_in_from_outside() -> None:
    (card,) = machine().inputs["networkProfile"]["networkInterfaceConfigurations"]
    (way,) = card["ipConfigurations"]
    assert way["subnet"] == {"id": HOST.subnet_id}
    assert "publicIPAddressConfiguration" not in way
    system = machine().inputs["osProfile"]
    assert "adminPassword" not in system
    assert system["linuxConfiguration"]["disablePasswordAuthentication"] is True
    (key,) = system["linuxConfiguration"]["ssh"]["publicKeys"]
    assert key == {"keyData": HOST.ssh_public_key, "path": "/home/sonarstack/.ssh/authorized_keys"}


@pytest.mark.parametrize("at_host", [True, False])
def test_the_disk_is_encrypted_by_the_stack_s_key_and_on_its_host_where_that_can_be(at_host: bool) -> None:
    inputs = machine(replace(HOST, encryption_at_host=at_host)).inputs
    disk = inputs["storageProfile"]["osDisk"]["managedDisk"]
    assert disk == {
        "storageAccountType": "Premium_LRS",
        "diskEncryptionSet": {"id": HOST.disk_encryption_set_id},
    }
    assert inputs["securityProfile"]["encryptionAtHost"] is at_host


def test_the_start_is_measured_and_its_modules_need_no_signature() -> None:
    security = machine().inputs["securityProfile"]
    assert security["securityType"] == "TrustedLaunch"
    assert security["uefiSettings"] == {"secureBootEnabled": False, "vTpmEnabled": True}
    plain = machine(replace(HOST, trusted_launch=False)).inputs["securityProfile"]
    assert not {"securityType", "uefiSettings"} & plain.keys()


def test_the_start_text_arrives_as_it_is() -> None:
    assert base64.b64decode(machine().inputs["osProfile"]["customData"]).decode() == START_TEXT


def test_a_machine_that_is_deleted_is_told_five_minutes_before() -> None:
    notice = machine().inputs["scheduledEventsProfile"]["terminateNotificationProfile"]
    assert notice == {"enable": True, "notBeforeTimeout": "PT5M"}


def test_stamp_lease_and_run_are_on_the_machine() -> None:
    assert machine().inputs["tags"].keys() == {
        "sonarstack:stamp",
        "sonarstack:lease-until",
        "sonarstack:run",
    }


def test_the_image_is_of_one_version_that_moves_only_when_somebody_says_so() -> None:
    image = machine().inputs["storageProfile"]["imageReference"]
    assert image == {
        "publisher": "microsoft-dsvm",
        "offer": "ubuntu-hpc",
        "sku": "2204",
        "version": HOST.image_version,
    }
    assert machine().ignored == ("storageProfile.imageReference.version",)
    assert machine(replace(HOST, pin_image=False)).ignored == ()


def test_what_azure_never_changes_makes_another_machine() -> None:
    assert set(machine().replaced_on) == {"osProfile", "priority", "billingProfile", "securityProfile"}


def test_the_timer_is_there_before_the_machine() -> None:
    def program() -> None:
        right = EndRight("right", RIGHT)
        timer = Deadline("timer", replace(DEADLINE, identity_id=right.identity_id, after=(right,)))
        Host("host", replace(HOST, after=(timer,)))

    declared = made(program)
    rented = declared["host-machine"]
    timer = declared["timer-timer"]
    assert timer.urn in rented.after
    assert declared["right-right"].urn in timer.after
    (action,) = timer.inputs["definition"]["actions"].values()
    assert f"/virtualMachines/{rented.inputs['vmName']}?" in action["inputs"]["uri"]
    # What comes before the machine cannot wait for it.
    assert rented.urn not in timer.after


def test_the_agent_speaks_with_the_machine_s_identity_and_collects_by_the_rule() -> None:
    declared = component("Host")
    agent = declared["it-agent"].inputs
    assert (agent["publisher"], agent["type"]) == ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent")
    identity = agent["settings"]["authentication"]["managedIdentity"]
    assert identity == {"identifier-name": "mi_res_id", "identifier-value": IDENTITY}
    assert declared["it-machine"].inputs["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": [IDENTITY],
    }
    collected = declared["it-collected"].inputs
    assert collected["dataCollectionRuleId"] == RULE
    assert collected["resourceUri"].endswith(f"/virtualMachines/{MACHINE}")


def test_what_is_a_part_of_the_machine_is_not_deleted_by_itself() -> None:
    declared = made(lambda: Host("it", replace(HOST, login=LOGIN)))
    parts = of_type(declared, "VirtualMachineExtension")
    assert {one.name for one in parts} == {"it-agent", "it-login"}
    for part in parts:
        assert part.goes_with == declared["it-machine"].urn
        assert part.inputs["suppressFailures"] is True
        assert not {"protectedSettings", "protectedSettingsFromKeyVault"} & part.inputs.keys()
    # A rule with machines is not deleted: this goes first.
    assert declared["it-collected"].goes_with == ""


def test_who_signs_in_with_a_directory_account_has_a_right_on_the_group() -> None:
    declared = made(lambda: Host("it", replace(HOST, login=LOGIN)))
    right = declared["it-login-right"].inputs
    assert (right["principalId"], right["principalType"], right["scope"]) == ("caller", "User", GROUP_ID)
    assert right["roleDefinitionId"].endswith(ADMIN_LOGIN)
    assert declared["it-machine"].inputs["identity"]["type"] == "SystemAssigned, UserAssigned"
    alone = component("Host")
    assert not {"it-login", "it-login-right"} & alone.keys()


def test_a_zone_where_one_is_wanted() -> None:
    assert "zones" not in machine().inputs
    assert machine(replace(HOST, zone="2")).inputs["zones"] == ["2"]
