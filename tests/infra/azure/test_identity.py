"""Who may do what: the machine, by role and place; secret, registry and image."""

from collections.abc import Mapping
from dataclasses import replace

from infra.azure.identity import MachineIdentity
from infra.azure.names import DATA, RUNS
from infra.azure.roles import assignment_name
from infra.azure.secrets import StackSecret
from stacks.mock_run import SHOWN_SECRET, Declared
from tests.infra.azure.things import (
    ADDRESS,
    CALLER,
    END_ROLE,
    GROUP_ID,
    MACHINE,
    REGISTRY,
    RULE,
    SECRET,
    SECRET_ID,
    SECRETS,
    STAMP,
    STORAGE_IDS,
    SUBNET,
    component,
)
from tests.infra.declared import made, of_type

BY_ROLE = {
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    END_ROLE.rpartition("/")[2]: "the stack's own",
}


def rights(declared: Mapping[str, Declared]) -> dict[str, str]:
    """Place and role of each assignment."""
    return {
        one.inputs["scope"]: BY_ROLE[one.inputs["roleDefinitionId"].rpartition("/")[2]]
        for one in of_type(declared, "RoleAssignment")
    }


def test_the_machine_may_do_its_work_in_its_own_places_and_nothing_else() -> None:
    declared = component("MachineIdentity")
    assert rights(declared) == {
        STORAGE_IDS.data: "Storage Blob Data Reader",
        STORAGE_IDS.runs: "Storage Blob Data Contributor",
        SECRET_ID: "Key Vault Secrets User",
        REGISTRY: "AcrPull",
        RULE: "Monitoring Metrics Publisher",
        GROUP_ID: "the stack's own",
    }
    assert len(of_type(declared, "RoleAssignment")) == 6
    for one in of_type(declared, "RoleAssignment"):
        assert one.inputs["principalId"] == f"{STAMP}-machine-principal", one.name
        # Azure would look for an identity that was made a moment ago.
        assert one.inputs["principalType"] == "ServicePrincipal", one.name


def test_only_its_own_end_reaches_as_far_as_the_group() -> None:
    (wide,) = [
        one
        for one in of_type(component("MachineIdentity"), "RoleAssignment")
        if one.inputs["scope"] == GROUP_ID
    ]
    assert wide.inputs["roleDefinitionId"] == END_ROLE
    scopes = [one.inputs["scope"] for one in of_type(component("MachineIdentity"), "RoleAssignment")]
    assert all(scope.startswith(f"{GROUP_ID}/providers/") for scope in scopes if scope != GROUP_ID)
    assert STORAGE_IDS.account not in scopes  # a container, never the account


def test_a_machine_without_secret_image_and_records_has_fewer_rights() -> None:
    declared = made(
        lambda: MachineIdentity("it", replace(MACHINE, secret_id=None, registry_id=None, rule_ids=None))
    )
    assert set(rights(declared)) == {STORAGE_IDS.data, STORAGE_IDS.runs, GROUP_ID}


def test_who_waits_for_the_identity_waits_for_its_rights() -> None:
    seen: list[set[str]] = []
    made(lambda: seen.append({one._name for one in MachineIdentity("it", MACHINE).ready}))
    names = {one.name for one in of_type(component("MachineIdentity"), "RoleAssignment")}
    assert seen == [names]


def test_assignments_have_names_that_are_the_same_again_and_never_another_s() -> None:
    all_names = [
        one.inputs["roleAssignmentName"]
        for kind in ("MachineIdentity", "RunStorage", "Key", "PushedImage")
        for one in of_type(component(kind), "RoleAssignment")
    ]
    assert len(set(all_names)) == len(all_names)
    assert assignment_name(GROUP_ID, "machine", DATA) in all_names
    assert assignment_name(GROUP_ID, CALLER, RUNS) in all_names
    assert assignment_name(GROUP_ID, "a", "b") != assignment_name(GROUP_ID, "b", "a")
    assert assignment_name(f"{GROUP_ID}2", "machine", DATA) not in all_names


def test_the_secret_is_locked_before_it_holds_something_and_never_in_the_clear() -> None:
    declared = component("StackSecret")
    assert declared["it-secret"].inputs["properties"] == SHOWN_SECRET
    assert "planted" not in str([one.inputs for one in declared.values()])
    vault = declared["it-vault"].inputs["properties"]
    assert (vault["enableRbacAuthorization"], vault["enablePurgeProtection"]) == (True, True)
    assert "accessPolicies" not in vault
    assert vault["networkAcls"]["defaultAction"] == "Deny"
    assert vault["networkAcls"]["virtualNetworkRules"] == [{"id": SUBNET}]
    assert vault["networkAcls"]["ipRules"] == []  # not even the caller reads it
    assert declared["it-vault"].urn in declared["it-secret"].after
    private = made(lambda: StackSecret("it", replace(SECRET, subnet_id=None)))
    assert private["it-vault"].inputs["properties"]["publicNetworkAccess"] == "Disabled"


def test_the_secret_has_a_place_for_a_role_and_an_address_for_the_program() -> None:
    seen: dict[str, str] = {}

    def program() -> None:
        secret = StackSecret("it", SECRET)
        secret.secret_id.apply(lambda it: seen.update(id=it))
        secret.secret_uri.apply(lambda it: seen.update(uri=it))

    made(program)
    assert seen == {"id": SECRET_ID, "uri": f"https://{SECRETS}.vault.azure.net/secrets/job"}


def test_a_registry_has_no_password_of_its_own_and_takes_nobody_unnamed() -> None:
    for profile, sku in (("cheap", "Basic"), ("private", "Premium")):
        found = component(f"ImageRegistry, {profile}")["it-registry"].inputs
        assert found["sku"] == {"name": sku}
        assert (found["adminUserEnabled"], found["anonymousPullEnabled"]) == (False, False)
    private = component("ImageRegistry, private")["it-registry"].inputs
    assert private["networkRuleSet"] == {
        "defaultAction": "Deny",
        "ipRules": [{"iPAddressOrRange": ADDRESS, "action": "Allow"}],
    }
    assert private["networkRuleBypassOptions"] == "None"


def test_the_image_is_pushed_by_a_right_and_without_a_password_in_the_clear() -> None:
    declared = component("PushedImage")
    assert rights(declared) == {REGISTRY: "AcrPush"}
    assert declared["it-push"].inputs["principalId"] == CALLER
    image = declared["it-cloud"]
    assert image.inputs["registry"] == SHOWN_SECRET
    assert declared["it-push"].urn in image.after
    assert image.inputs["build"]["args"]["CUDA_IMAGE"] == declared["it-cuda"].inputs["imageName"]
    assert image.ignored == ("registry",)
    assert image.inputs["imageName"] == "nightimages.azurecr.io/training:cafe"
    assert declared["it-cuda"].inputs["skipPush"] is True
