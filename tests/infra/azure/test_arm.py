"""The client of Azure Resource Manager against a stand-in: pages, retries, what Azure refuses; each error one line."""

import socket
from collections.abc import Callable, Iterator

import pytest

from infra.azure import account
from infra.azure import arm as module
from infra.azure.account import Token, claims_of, management_token, who_am_i
from infra.azure.arm import ADDRESS, ATTEMPTS, Arm
from infra.azure.errors import AccountError, AzureError
from tests.infra.azure.desk import arm_server, subscription
from tests.infra.azure.fake_arm import CALLER, SUBSCRIPTION, TENANT, Credential, FakeArm, token

__all__ = ["arm_server"]
GROUPS = "2021-04-01"
SUBSCRIPTIONS = "2022-12-01"
OTHER = "22222222-2222-3333-4444-555555555555"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def arm(arm_server: FakeArm, pauses: list[float]) -> Iterator[Arm]:
    with Arm(pause=pauses.append) as made:
        yield made


def rows(arm: Arm) -> list[str]:
    return [str(one["displayName"]) for one in arm.items("/subscriptions", SUBSCRIPTIONS, "subscriptions")]


def test_a_list_is_read_to_its_last_page(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.subscriptions = [subscription(name=f"s{n}") for n in range(5)]
    assert rows(arm) == ["s0", "s1", "s2", "s3", "s4"]
    assert len(arm_server.asked) == 3


def test_the_token_goes_to_nobody_else(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.subscriptions = [subscription(name=f"s{n}") for n in range(5)]
    real, arm_server.address = arm_server.address, "http://127.0.0.1:9"
    with pytest.raises(
        AzureError, match=r"goes on at 127\.0\.0\.1:9, which is not 127\.0\.0\.1:\d+; not followed"
    ):
        rows(arm)
    arm_server.address = real


def test_a_list_without_end_is_given_up(
    arm: Arm, arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGES", 3)
    arm_server.page = 1
    arm_server.subscriptions = [subscription(name=f"s{n}") for n in range(4)]
    with pytest.raises(AzureError, match="has more than 3 pages"):
        rows(arm)


def test_the_token_is_asked_for_once(arm: Arm, arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Credential(arm_server.token)
    monkeypatch.setattr(account, "credential", lambda: known)
    rows(arm)
    rows(arm)
    assert known.scopes == [f"{ADDRESS}/.default"]


def test_what_is_not_there_is_none_and_what_must_be_is_an_error(arm: Arm) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/none"
    assert arm.find(path, GROUPS, "the group") is None
    assert list(arm.items(f"{path}/resources", GROUPS, "its parts")) == []
    machine = f"{path}/providers/Microsoft.Compute/virtualMachines/m"
    arm.delete(machine, "2024-07-01", "the machine")
    with pytest.raises(AzureError, match=r"refuses the group \(404 ResourceNotFound\)"):
        arm.get(path, GROUPS, "the group")


def test_a_path_or_a_version_that_azure_does_not_know_is_never_nothing(arm: Arm) -> None:
    with pytest.raises(AzureError, match=r"404 InvalidResourceType"):
        arm.find(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Nothing/things/x", GROUPS, "a thing")
    with pytest.raises(AzureError, match=r"400 InvalidApiVersionParameter"):
        arm.find(f"/subscriptions/{SUBSCRIPTION}", "2001-01-01", "the subscription")


def test_it_waits_as_long_as_azure_says(arm: Arm, arm_server: FakeArm, pauses: list[float]) -> None:
    arm_server.fail("GET", "/subscriptions", 429, "TooManyRequests", headers={"Retry-After": "7"})
    assert rows(arm) == ["mine"]
    assert pauses == [7.0]


def test_a_wait_that_is_too_long_is_told(arm: Arm, arm_server: FakeArm, pauses: list[float]) -> None:
    arm_server.fail("GET", "/subscriptions", 429, "TooManyRequests", headers={"Retry-After": "3600"})
    with pytest.raises(AzureError, match=r"takes no more calls about subscriptions now \(429\)"):
        rows(arm)
    assert pauses == []


def test_a_fault_of_azure_s_own_is_tried_again_but_not_for_ever(
    arm: Arm, arm_server: FakeArm, pauses: list[float]
) -> None:
    arm_server.fail("GET", "/subscriptions", 503, "ServerBusy", times=2)
    assert rows(arm) == ["mine"]
    assert pauses == [1.0, 2.0]
    arm_server.fail("GET", "/subscriptions", 500, "InternalServerError", times=ATTEMPTS)
    with pytest.raises(AzureError, match=r"fault of its own about subscriptions \(500 InternalServerError\)"):
        rows(arm)


def test_an_action_is_never_begun_twice(arm: Arm, arm_server: FakeArm, pauses: list[float]) -> None:
    path = f"{arm_server.rent('g', 'm')}/runCommand"
    arm_server.fail("POST", "/runCommand", 502, "BadGateway")
    with pytest.raises(AzureError, match="502 BadGateway"):
        arm.post(path, "2024-07-01", "the machine", {})
    assert pauses == []
    arm_server.fail("POST", "/runCommand", 429, "TooManyRequests", headers={"Retry-After": "1"})
    assert arm.post(path, "2024-07-01", "the machine", {}) is None  # 202: it only begins
    assert pauses == [1.0]


def test_nobody_there_is_told_within_bounds(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    text = token()
    monkeypatch.setattr(account, "credential", lambda: Credential(text))
    says = r"does not answer about subscriptions \(ConnectError\)"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        alone = Arm(address=f"http://127.0.0.1:{nobody.getsockname()[1]}", pause=pauses.append)
        with alone, pytest.raises(AccountError, match=says) as told:
            rows(alone)
    assert len(pauses) == ATTEMPTS - 1
    assert text not in repr(told.getrepr(chain=True))


def test_what_is_not_json_is_one_line(arm: Arm, arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/address"  # a page of text, as a proxy that asks for a log-in would show
    with pytest.raises(AzureError, match="is not JSON; look whether SONARSTACK_ARM_URL is right"):
        arm.get(path, GROUPS, "the page")
    with pytest.raises(AzureError, match="list of the page is not as documented"):
        list(arm.items("/prices", GROUPS, "the page", **{"$filter": "'x'"}))


def test_a_token_is_never_sent_in_the_clear() -> None:
    with pytest.raises(AccountError, match=r"SONARSTACK_ARM_URL=http://arm\.example is not https"):
        Arm(address="http://arm.example")


def test_another_cloud_of_azure_has_its_own_token(
    arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Credential(arm_server.token)
    monkeypatch.setattr(account, "credential", lambda: known)
    Arm(address="https://management.usgovcloudapi.net/").token()
    assert known.scopes == ["https://management.usgovcloudapi.net/.default"]


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (401, "ExpiredAuthenticationToken", AccountError, "log-in to Azure has expired.*run `az login`"),
        (401, "InvalidAuthenticationTokenTenant", AccountError, "of another tenant.*az login --tenant"),
        (
            403,
            "AuthorizationFailed",
            AccountError,
            r"may not ask Azure for subscriptions \(AuthorizationFailed\)",
        ),
        (404, "SubscriptionNotFound", AccountError, "no such subscription for you.*az account list"),
        (409, "Conflict", AzureError, r"refuses subscriptions \(409 Conflict\): told at length"),
    ],
)
def test_what_azure_refuses_is_one_line(
    arm: Arm, arm_server: FakeArm, status: int, code: str, kind: type[AzureError], says: str
) -> None:
    arm_server.fail("GET", "/subscriptions", status, code, times=ATTEMPTS)
    with pytest.raises(kind, match=says) as told:
        rows(arm)
    assert "\n" not in str(told.value)
    assert arm_server.token not in str(told.value)
    assert told.value.status == status


# who we are


def test_the_token_tells_who_we_are_and_the_one_subscription_is_ours(arm: Arm) -> None:
    me = who_am_i(arm)
    assert (me.tenant_id, me.object_id, me.principal_type) == (TENANT, CALLER, "User")
    assert (me.subscription_id, me.subscription_name) == (SUBSCRIPTION, "mine")


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"idtyp": "app", "scp": None}, "ServicePrincipal"),
        ({"idtyp": None, "scp": None}, "ServicePrincipal"),
        ({"idtyp": None}, "User"),
    ],
)
def test_a_program_is_told_from_a_user(
    arm: Arm, arm_server: FakeArm, claims: dict[str, str], kind: str
) -> None:
    arm_server.token = token(**claims)
    assert who_am_i(arm).principal_type == kind


def test_one_of_several_subscriptions_must_be_chosen(
    arm: Arm, arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm_server.subscriptions = [subscription(), subscription(OTHER, "theirs")]
    with pytest.raises(
        AccountError, match=rf"2 subscriptions: mine \({SUBSCRIPTION}\), theirs.*sonarstack:subscription"
    ):
        who_am_i(arm)
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", OTHER)
    assert who_am_i(arm).subscription_name == "theirs"
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert who_am_i(arm).subscription_name == "mine"
    assert who_am_i(arm, OTHER).subscription_name == "theirs"  # the setting counts before all


def test_no_subscription_or_one_that_is_off(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.subscriptions = [subscription(state="Disabled")]
    with pytest.raises(AccountError, match="subscription mine is Disabled; have it enabled"):
        who_am_i(arm)
    arm_server.subscriptions = []
    with pytest.raises(AccountError, match="has no subscription of Azure"):
        who_am_i(arm)


@pytest.mark.parametrize("text", ["", "nothing", "a.b.c", "e30.e30.x"])
def test_a_token_that_names_nobody(text: str) -> None:
    with pytest.raises(AccountError, match="names nobody; run `az login`") as told:
        claims_of(text)
    assert text not in str(told.value) or not text


def _raises(error: Exception) -> Callable[[], Credential]:
    class Refuses(Credential):
        def get_token(self, *scopes: str) -> None:
            raise error

    return lambda: Refuses("")


def test_nobody_logged_in_is_one_line_without_what_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import CredentialUnavailableError

    monkeypatch.setattr(
        account, "credential", _raises(CredentialUnavailableError(message="long\nsecret-value"))
    )
    with pytest.raises(AccountError, match=r"knows no log-in of yours.*run `az login`") as told:
        management_token()
    assert "secret-value" not in str(told.value)
    assert "\n" not in str(told.value)
    monkeypatch.setattr(account, "credential", _raises(ValueError("secret-value")))
    with pytest.raises(AccountError, match="variables do not fit together") as told:
        management_token()
    assert "secret-value" not in str(told.value)


def test_the_log_in_opens_no_window_and_every_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    tried = [type(one).__name__ for one in account.credential().credentials]
    assert "AzureCliCredential" in tried
    assert not [name for name in tried if "Interactive" in name or "Broker" in name or "SharedToken" in name]


def test_a_token_is_not_shown() -> None:
    assert "hidden" not in repr(Token("hidden", 0.0))
