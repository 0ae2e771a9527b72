"""What an earlier stack left is found by its ids: parts that a group's list tells, and parts of those."""

import time

import httpx
import pytest

from infra.azure import account
from infra.azure.arm import Arm
from infra.azure.kept import kept_parts
from infra.azure.keys import key_ids
from infra.azure.vaults import vault_name
from stacks.mock_azure import SUBSCRIPTION
from tests.infra.azure.things import ACCOUNT, GROUP_ID, KEYS, LOCATION, STAMP, STORAGE_IDS

KEY_IDS = key_ids(GROUP_ID, STAMP, KEYS)
SECRETS = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/{vault_name('secrets', SUBSCRIPTION, STAMP, 'x')}"
MISSING = {
    "containers": "ContainerNotFound", "managementPolicies": "ManagementPolicyNotFound", "keys": "KeyNotFound",
    "roleAssignments": "RoleAssignmentNotFound", "resourceGroups": "ResourceGroupNotFound",
}  # fmt: skip


class Azure:
    """A subscription with one group, as ARM tells of it."""

    def __init__(self, *, listed: set[str], inside: set[str]) -> None:
        self.listed, self.inside = listed, inside
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path == GROUP_ID and self.listed:
            return httpx.Response(200, json={"id": path, "location": LOCATION})
        if path == f"{GROUP_ID}/resources":
            return httpx.Response(200, json={"value": [{"id": one} for one in sorted(self.listed)]})
        if path in self.inside:
            return httpx.Response(200, json={"id": path})
        code = MISSING[path.split("/")[-2]]
        return httpx.Response(404, json={"error": {"code": code, "message": "not there"}})


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        account, "management_token", lambda address: account.Token(text="t", expires_on=time.time() + 3600)
    )


def arm(azure: Azure) -> Arm:
    return Arm(address="http://127.0.0.1:1", client=httpx.Client(transport=httpx.MockTransport(azure)))


def test_where_there_is_no_group_nothing_was_left() -> None:
    assert kept_parts(arm(Azure(listed=set(), inside=set())), SUBSCRIPTION, STAMP) is None


def test_what_is_kept_is_found_and_so_is_what_lies_inside() -> None:
    listed = {KEY_IDS.vault, KEY_IDS.identity, STORAGE_IDS.account, SECRETS}
    inside = {KEY_IDS.key, KEY_IDS.right, STORAGE_IDS.data, STORAGE_IDS.runs, STORAGE_IDS.policy}
    azure = Azure(listed=listed, inside=inside)
    kept = kept_parts(arm(azure), SUBSCRIPTION, STAMP)
    assert kept is not None
    assert kept.location == LOCATION
    assert kept.ids == {one.lower() for one in {GROUP_ID, *listed, *inside}}
    assert kept.has(KEY_IDS.key)
    # Of the secrets' vault nothing is kept, and nothing is asked.
    assert not any(path.startswith(f"{SECRETS}/") for path in azure.asked)


def test_what_was_only_half_made_is_told_as_it_is() -> None:
    azure = Azure(listed={STORAGE_IDS.account, KEY_IDS.vault}, inside={STORAGE_IDS.data})
    kept = kept_parts(arm(azure), SUBSCRIPTION, STAMP)
    assert kept is not None
    assert kept.has(STORAGE_IDS.data)
    assert not kept.has(STORAGE_IDS.runs)
    assert not kept.has(KEY_IDS.key)


def test_ids_are_the_same_in_any_case() -> None:
    azure = Azure(listed={STORAGE_IDS.account.upper()}, inside=set())
    kept = kept_parts(arm(azure), SUBSCRIPTION, STAMP)
    assert kept is not None
    assert kept.has(STORAGE_IDS.account)
    assert ACCOUNT in STORAGE_IDS.account
