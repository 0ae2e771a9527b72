"""Storage and its key: locked before anything is written, and what of them stays."""

from dataclasses import replace
from typing import Any

import pytest

from infra.azure.account_template import account_template
from infra.azure.group import Group, GroupArgs
from infra.azure.keys import Key, key_ids
from infra.azure.storage import RunStorage, callers
from infra.azure.vaults import fresh_suffix, standing_vault, vault_name
from stacks.mock_azure import SUBSCRIPTION
from tests.infra.azure.things import (
    ACCOUNT,
    ADDRESS,
    CALLER,
    GROUP_ID,
    IDENTITY,
    KEY,
    KEYS,
    LOCATION,
    STAMP,
    STORAGE,
    STORAGE_IDS,
    SUBNET,
    TAGS,
    component,
)
from tests.infra.declared import made, of_type

KEY_IDS = key_ids(GROUP_ID, STAMP, KEYS)
ENCRYPTS = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
"""Key Vault Crypto Service Encryption User."""


def account() -> Any:
    return component("RunStorage")["it-account"].inputs


def test_the_account_takes_no_shared_key_no_stranger_and_no_old_tls() -> None:
    found = account()
    assert found["allowSharedKeyAccess"] is False
    assert found["allowBlobPublicAccess"] is False
    assert found["isLocalUserEnabled"] is False
    assert found["allowCrossTenantReplication"] is False
    assert found["defaultToOAuthAuthentication"] is True
    assert (found["minimumTlsVersion"], found["enableHttpsTrafficOnly"]) == ("TLS1_2", True)
    assert {one.inputs["publicAccess"] for one in of_type(component("RunStorage"), "BlobContainer")} == {
        "None"
    }


def test_the_account_is_reached_from_the_machine_s_subnet_and_the_caller_only() -> None:
    assert account()["networkRuleSet"] == {
        "defaultAction": "Deny",
        "bypass": "None",
        "ipRules": [{"iPAddressOrRange": ADDRESS, "action": "Allow"}],
        "virtualNetworkRules": [{"virtualNetworkResourceId": SUBNET, "action": "Allow"}],
    }
    private = made(lambda: RunStorage("it", replace(STORAGE, subnet_id=None)))
    assert private["it-account"].inputs["networkRuleSet"]["virtualNetworkRules"] == []
    assert list(callers("203.0.113.9/32")) == [ADDRESS]
    assert list(callers("203.0.113.0/24")) == ["203.0.113.0/24"]


def test_the_account_is_encrypted_twice_and_by_the_stack_s_key() -> None:
    found = account()["encryption"]
    assert found["requireInfrastructureEncryption"] is True
    assert found["keySource"] == "Microsoft.Keyvault"
    # Without a version, so that storage follows the key's rotation.
    assert found["keyVaultProperties"] == {
        "keyName": "storage",
        "keyVaultUri": f"https://{KEYS}.vault.azure.net/",
    }
    assert found["encryptionIdentity"] == {"encryptionUserAssignedIdentity": IDENTITY}
    assert account()["identity"] == {"type": "UserAssigned", "userAssignedIdentities": [IDENTITY]}


def test_old_versions_go_after_a_fortnight_and_what_is_current_stays() -> None:
    declared = component("RunStorage")
    versions = declared["it-versions"].inputs
    assert versions["isVersioningEnabled"] is True
    for policy in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
        assert versions[policy] == {"enabled": True, "days": 14}
    (rule,) = declared["it-lifecycle"].inputs["policy"]["rules"]
    assert rule["enabled"] is True
    assert rule["definition"]["actions"] == {"version": {"delete": {"daysAfterCreationGreaterThan": 14}}}
    assert declared["it-versions"].urn in declared["it-lifecycle"].after


def test_whoever_deploys_reads_and_writes_both_containers_by_a_role() -> None:
    rights = of_type(component("RunStorage"), "RoleAssignment")
    assert {one.inputs["scope"] for one in rights} == {STORAGE_IDS.data, STORAGE_IDS.runs}
    for one in rights:
        assert one.inputs["roleDefinitionId"].endswith("/ba92f5b4-2d11-453d-a403-e96b0029c9fe")
        assert (one.inputs["principalId"], one.inputs["principalType"]) == (CALLER, "User")


def test_nobody_writes_before_the_caller_has_his_right() -> None:
    import pulumi_azure_native as azure

    def program() -> None:
        storage = RunStorage("it", STORAGE)
        azure.resources.ResourceGroup("writes", resource_group_name=storage.account_name)

    declared = made(program)
    first = {
        declared[name].urn
        for name in ("it-account", "it-versions", "it-data", "it-runs", "it-caller-data", "it-caller-runs")
    }
    assert first <= set(declared["writes"].after)
    assert declared["writes"].inputs["resourceGroupName"] == ACCOUNT


def test_the_key_rotates_in_a_vault_that_no_network_reaches() -> None:
    vault = component("Key")["it-vault"].inputs["properties"]
    assert (vault["enableRbacAuthorization"], vault["enablePurgeProtection"], vault["enableSoftDelete"]) == (
        True,
        True,
        True,
    )
    assert vault["publicNetworkAccess"] == "Disabled"
    assert vault["networkAcls"] == {
        "defaultAction": "Deny",
        "bypass": "AzureServices",
        "ipRules": [],
        "virtualNetworkRules": [],
    }
    key = component("Key")["it-key"].inputs["properties"]
    assert (key["kty"], key["keySize"], key["keyOps"]) == ("RSA", 3072, ["wrapKey", "unwrapKey"])
    (action,) = key["rotationPolicy"]["lifetimeActions"]
    assert action == {"action": {"type": "rotate"}, "trigger": {"timeAfterCreate": "P1Y"}}


def test_one_identity_may_encrypt_and_by_just_this_key() -> None:
    declared = component("Key")
    (right,) = of_type(declared, "RoleAssignment")
    assert right.inputs["scope"] == KEY_IDS.key
    assert right.inputs["roleDefinitionId"].endswith(f"/{ENCRYPTS}")
    assert right.inputs["principalId"] == f"{STAMP}-encryption-principal"
    disks = declared["it-disks"]
    assert disks.inputs["identity"]["userAssignedIdentities"] == [KEY_IDS.identity]
    assert disks.inputs["activeKey"]["sourceVault"]["id"] == KEY_IDS.vault
    assert disks.inputs["rotationToLatestKeyVersionEnabled"] is True
    assert right.urn in disks.after


def test_storage_waits_until_its_identity_may_encrypt() -> None:
    def program() -> None:
        key = Key("key", KEY)
        RunStorage(
            "it",
            replace(STORAGE, identity_id=key.identity_id, vault_uri=key.vault_uri, key_name=key.key_name),
        )

    declared = made(program)
    assert declared["key-right"].urn in declared["it-account"].after
    encryption = declared["it-account"].inputs["encryption"]
    assert encryption["encryptionIdentity"]["encryptionUserAssignedIdentity"] == KEY_IDS.identity
    assert encryption["keyVaultProperties"]["keyVaultUri"] == f"https://{KEYS}.vault.azure.net/"


@pytest.mark.parametrize("keep", [True, False])
def test_storage_that_stays_keeps_its_locks_and_its_key(keep: bool) -> None:
    storage = made(lambda: RunStorage("it", replace(STORAGE, keep=keep)))
    rights = {one.name for one in of_type(storage, "RoleAssignment")}
    assert {one.retained for one in storage.values() if one.custom and one.name not in rights} == {keep}
    # A right of the caller's ends with the stack.
    assert {storage[name].retained for name in rights} == {False}
    key = made(lambda: Key("it", replace(KEY, keep=keep)))
    assert {name: key[name].retained for name in ("it-vault", "it-identity", "it-right", "it-disks")} == {
        "it-vault": keep, "it-identity": keep, "it-right": keep, "it-disks": False,
    }  # fmt: skip
    # It goes with its vault, into which nobody has a way.
    assert key["it-key"].retained is True
    group = made(
        lambda: Group(
            "it",
            GroupArgs(subscription_id=SUBSCRIPTION, location=LOCATION, stamp=STAMP, keep=keep, tags=TAGS),
        )
    )
    assert group["it-group"].retained is keep


def test_what_is_there_already_is_taken_up() -> None:
    there = frozenset(
        one.lower()
        for one in (
            GROUP_ID, KEY_IDS.vault, KEY_IDS.key, KEY_IDS.identity, KEY_IDS.right, STORAGE_IDS.account,
            STORAGE_IDS.data, STORAGE_IDS.runs, STORAGE_IDS.policy,
        )
    )  # fmt: skip
    key = made(lambda: Key("it", replace(KEY, there=there)))
    assert {name: key[name].import_id for name in ("it-vault", "it-key", "it-identity", "it-right")} == {
        "it-vault": KEY_IDS.vault, "it-key": KEY_IDS.key, "it-identity": KEY_IDS.identity,
        "it-right": KEY_IDS.right,
    }  # fmt: skip
    storage = made(lambda: RunStorage("it", replace(STORAGE, there=there)))
    assert {name: storage[name].import_id for name in ("it-account", "it-data", "it-runs", "it-lifecycle")} == {
        "it-account": STORAGE_IDS.account, "it-data": STORAGE_IDS.data, "it-runs": STORAGE_IDS.runs,
        "it-lifecycle": STORAGE_IDS.policy,
    }  # fmt: skip
    for one in (*key.values(), *storage.values()):
        if one.import_id:
            # An id by which nothing would be found would make another.
            assert one.import_id.rpartition("/")[2] in str(one.inputs.values()), one.name
    # What Azure filled in would fail the import: all that we declare of the account is left as it is there.
    named = {"resourceGroupName", "accountName"}
    assert set(storage["it-account"].inputs) - named <= set(storage["it-account"].ignored)
    assert {one.import_id for one in component("RunStorage").values()} == {""}
    assert {one.import_id for one in component("Key").values()} == {""}


def test_half_of_what_is_there_is_taken_up_and_the_rest_is_made() -> None:
    there = frozenset({STORAGE_IDS.account.lower(), STORAGE_IDS.data.lower()})
    storage = made(lambda: RunStorage("it", replace(STORAGE, there=there)))
    assert storage["it-data"].import_id == STORAGE_IDS.data
    assert storage["it-runs"].import_id == storage["it-lifecycle"].import_id == ""


def test_an_account_that_was_taken_up_lets_in_the_network_and_the_caller_of_today() -> None:
    there = frozenset({STORAGE_IDS.account.lower()})
    storage = made(lambda: RunStorage("it", replace(STORAGE, there=there)))
    again = storage["it-again"]
    assert storage["it-account"].urn in again.after
    assert again.inputs["properties"]["mode"] == "Incremental"
    (found,) = again.inputs["properties"]["template"]["resources"]
    assert (found["type"], found["name"]) == ("Microsoft.Storage/storageAccounts", ACCOUNT)
    rules = found["properties"]["networkAcls"]
    assert rules["defaultAction"] == "Deny"
    assert rules["ipRules"] == [{"value": ADDRESS, "action": "Allow"}]
    assert rules["virtualNetworkRules"] == [{"id": SUBNET, "action": "Allow"}]
    assert "it-again" not in component("RunStorage")


def test_the_account_that_is_put_again_has_the_same_locks() -> None:
    """What a template does not say might be reset."""
    template = account_template(
        account_name=ACCOUNT, location=LOCATION, addresses=[ADDRESS], subnet_id=SUBNET, identity_id=IDENTITY,
        vault_uri="https://v/", key_name="storage",
    )["resources"][0]["properties"]  # fmt: skip
    other = {"supportsHttpsTrafficOnly": "enableHttpsTrafficOnly"}
    for name, value in template.items():
        if name not in ("networkAcls", "encryption"):
            assert account()[other.get(name, name)] == value, name
    assert template["encryption"]["requireInfrastructureEncryption"] is True
    assert template["encryption"]["keyvaultproperties"] == {"keyname": "storage", "keyvaulturi": "https://v/"}
    assert template["encryption"]["identity"] == {"userAssignedIdentity": IDENTITY}


def test_vaults_have_names_that_azure_takes_and_that_are_found_again() -> None:
    suffixes = {fresh_suffix() for _ in range(20)}
    assert len(suffixes) == 20
    names = {vault_name("secrets", SUBSCRIPTION, STAMP, suffix) for suffix in suffixes}
    assert len(names) == 20
    assert all(3 <= len(name) <= 24 and name.replace("-", "").isalnum() for name in names)
    ids = [f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/{name}".lower() for name in (KEYS, min(names))]
    assert standing_vault("keys", ids) == KEYS
    assert standing_vault("secrets", ids) == min(names)
    assert standing_vault("keys", ids[1:]) is None
