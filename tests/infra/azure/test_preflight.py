"""What is asked of a subscription before anything is made, and which try of the job it is about."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.azure import tries
from infra.azure.account import AccountError
from infra.azure.arm import Arm
from infra.azure.attempts import attempt_of, last_attempt
from infra.azure.errors import AzureError, NoOfferError, QuotaError
from infra.azure.kept import kept_parts
from infra.azure.keys import key_ids
from infra.azure.names import account_name, group_id, group_name, machine_name, part_id, storage_account_name
from infra.azure.preflight import Account, assumed_account, look_at_account
from infra.azure.sizes import SIZES
from infra.azure.storage import storage_ids
from infra.azure.tries import Job
from infra.azure.vaults import vault_name
from infra.errors import HostError
from infra.journal import Journal, Lease
from tests.infra.azure.desk import A100, T4, arm_server
from tests.infra.azure.fake_arm import CALLER, LOCATION, SUBSCRIPTION, TENANT, FakeArm
from tests.infra.azure.memory_store import MemoryStore

__all__ = ["arm_server"]
STAMP, DIGEST = "sonarstack-night-abc123", "d" * 64
JOB = Job(stack="night", stamp=STAMP, digest=DIGEST)
GROUP, GROUP_ID = group_name(STAMP), group_id(SUBSCRIPTION, STAMP)
NOTES = f"night/host/{DIGEST[:8]}"
TAGS = {"sonarstack:stamp": STAMP}
Look = Callable[..., Account]


def name(attempt: int) -> str:
    return machine_name(STAMP, DIGEST, attempt)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Container runs; it counts only where the account is there."""
    store = MemoryStore()
    monkeypatch.setattr(tries, "open_store", lambda where: store)
    return store


@pytest.fixture
def look(arm_server: FakeArm, runs: MemoryStore) -> Look:
    def asked(*sizes: Any, **changed: Any) -> Account:
        wanted = {"subscription": None, "market": "spot", "max_usd_per_h": 0.3}
        return look_at_account(LOCATION, sizes or (T4,), JOB, **{**wanted, **changed})

    return asked


def stand(fake: FakeArm, location: str = LOCATION) -> None:
    """The group and the account of an earlier `up`."""
    fake.groups[GROUP] = {"id": GROUP_ID, "name": GROUP, "location": location, "tags": TAGS}
    fake.put("Microsoft.Storage/storageAccounts", storage_account_name(SUBSCRIPTION, STAMP), GROUP)


def lease(attempt: int) -> Lease:
    now = datetime.now(UTC)
    return Journal().write(
        Lease(
            cloud="azure", account=account_name(SUBSCRIPTION, LOCATION), kind="group", name=name(attempt), stamp=STAMP,
            run="run", rented_at=now, lease_until=now + timedelta(hours=1), price_usd_per_h=0.3, id=name(attempt),
        )
    )  # fmt: skip


# the account


def test_who_where_what_and_what_to_know(look: Look) -> None:
    found = look(T4)
    assert (found.subscription_id, found.tenant_id, found.object_id) == (SUBSCRIPTION, TENANT, CALLER)
    assert (found.principal_type, found.caller_address) == ("User", "9.9.9.9")
    assert (found.size, found.host_encryption, found.trusted_launch) == (T4, True, True)
    assert found.image_version == "22.04.2026100701"  # the newest by number, not the last of the list
    assert (found.attempt, found.kept) == (0, None)
    assert found.notes == ("spot now: Standard_NC4as_T4_v3 at $0.19 an hour; your limit is $0.3",)


def test_the_first_wanted_size_that_quota_and_price_allow(look: Look, arm_server: FakeArm) -> None:
    found = look(A100, T4)
    assert found.size == T4
    assert any("Standard_NC24ads_A100_v4 needs 24 vCPUs" in note for note in found.notes)
    arm_server.usages["lowPriorityCores"] = (100, 0)
    assert look(A100, T4, max_usd_per_h=5.0, market="spot").size == A100


def test_encryption_at_host_is_the_subscription_s_and_the_size_s(look: Look, arm_server: FakeArm) -> None:
    arm_server.features = {"EncryptionAtHost": "NotRegistered"}
    found = look(T4)
    assert not found.host_encryption
    assert any(
        "az feature register --namespace Microsoft.Compute --name EncryptionAtHost" in n for n in found.notes
    )
    arm_server.features = {"EncryptionAtHost": "Registered"}
    for one in arm_server.skus:
        one["capabilities"] = [c for c in one["capabilities"] if c["name"] != "EncryptionAtHostSupported"]
    found = look(T4)
    assert not found.host_encryption
    assert any("T4_v3 cannot be encrypted at its host" in note for note in found.notes)


@pytest.mark.parametrize(
    ("spoil", "changed", "error", "said"),
    [
        (
            lambda fake: fake.registered.update({"Microsoft.Logic": "NotRegistered", "Microsoft.Insights": ""}),
            {}, AzureError,
            r"not registered in your subscription: Microsoft\.Insights, Microsoft\.Logic; run `az provider register "
            r"--wait --namespace Microsoft\.Insights && az provider register --wait --namespace Microsoft\.Logic`",
        ),
        (lambda fake: fake.usages.update(lowPriorityCores=(0, 0)), {}, QuotaError, "may run 0 more"),
        (lambda fake: fake.skus.clear(), {}, NoOfferError, "eastus has no Standard_NC4as_T4_v3"),
        (lambda fake: None, {"max_usd_per_h": 0.1}, NoOfferError, "below every spot price now"),
        (lambda fake: None, {"market": "on_demand"}, NoOfferError, "below every on-demand price now"),
        (lambda fake: fake.images.clear(), {}, AzureError, "eastus has no image microsoft-dsvm:ubuntu-hpc:2204"),
        (lambda fake: fake.subscriptions.clear(), {}, AccountError, "no subscription of Azure"),
    ],
)  # fmt: skip
def test_what_forbids_the_machine_is_one_line_before_anything_is_made(
    look: Look,
    arm_server: FakeArm,
    spoil: Callable[[FakeArm], None],
    changed: dict[str, Any],
    error: Any,
    said: str,
) -> None:
    spoil(arm_server)
    with pytest.raises(error, match=said) as told:
        look(T4, **changed)
    assert "\n" not in str(told.value)
    assert arm_server.token not in str(told.value)
    assert {verb for verb, _ in arm_server.asked} == {"GET"}


def test_without_the_price_list_the_dated_table_counts(look: Look, arm_server: FakeArm) -> None:
    arm_server.fail("GET", "/prices", 503, times=2)
    found = look(T4, market="on_demand", max_usd_per_h=0.6)
    assert any("price list does not answer" in note and "may be old" in note for note in found.notes)
    with pytest.raises(NoOfferError, match="below every on-demand price"):
        look(T4, market="on_demand", max_usd_per_h=0.5)


def test_a_group_at_another_place_is_told(look: Look, arm_server: FakeArm) -> None:
    stand(arm_server, "westus3")
    with pytest.raises(
        AzureError, match=rf"{GROUP} is in westus3 already, and sonarstack:location is eastus"
    ):
        look(T4)


def test_a_look_without_account_asks_nobody(arm_server: FakeArm) -> None:
    found = assumed_account(LOCATION, (A100, T4))
    assert found.size == A100
    assert "no account was asked" in found.notes[0]
    assert arm_server.asked == []


# what is kept


def test_what_an_earlier_stack_left_is_known_by_its_ids(arm_server: FakeArm) -> None:
    with Arm() as arm:
        assert kept_parts(arm, SUBSCRIPTION, STAMP) is None
        stand(arm_server)
        vault = vault_name("keys", SUBSCRIPTION, STAMP, "x")
        arm_server.put("Microsoft.KeyVault/vaults", vault, GROUP)
        keys = key_ids(GROUP_ID, STAMP, vault)
        storage = storage_ids(GROUP_ID, storage_account_name(SUBSCRIPTION, STAMP))
        for identifier in (keys.key, keys.right, storage.runs):
            arm_server.parts[identifier.lower()] = {"id": identifier, "name": "", "type": "nested"}
        found = kept_parts(arm, SUBSCRIPTION, STAMP)
    assert found is not None
    assert found.location == LOCATION
    there = [GROUP_ID, storage.account, keys.vault, keys.key, keys.right, storage.runs]
    assert all(found.has(one) for one in there)
    assert not found.has(storage.data)


# which try it is


@pytest.mark.parametrize(
    ("living", "seen", "over", "attempt"),
    [
        ((), (), False, 0),
        ((0,), (0,), False, 0),
        ((), (0,), False, 1),
        ((), (0,), True, 0),
        ((), (0,), None, 0),
        ((), (0, 1, 10), False, 11),
        ((10,), (0, 10), False, 10),
        ((0,), (0, 1), False, 2),
    ],
)
def test_a_machine_that_is_gone_before_the_end_is_followed_by_another(
    living: tuple[int, ...], seen: tuple[int, ...], over: bool | None, attempt: int
) -> None:
    found = attempt_of(STAMP, DIGEST, living=map(name, living), seen=map(name, seen), over=over)
    assert found == attempt


def test_machines_of_other_jobs_do_not_count() -> None:
    other = machine_name(STAMP, "e" * 64, 7)
    assert last_attempt(STAMP, DIGEST, (other, name(3), f"{name(3)}-x", "x")) == 3
    assert last_attempt(STAMP, DIGEST, (other,)) is None


def test_a_machine_that_lives_is_left_as_it_is_though_it_uses_up_the_quota(
    look: Look, arm_server: FakeArm
) -> None:
    stand(arm_server)
    arm_server.rent(GROUP, name(0), TAGS, image="22.04.2026070101")
    arm_server.usages["lowPriorityCores"] = (4, 4)
    found = look(A100, T4)
    assert (found.attempt, found.size, found.image_version) == (0, T4, "22.04.2026070101")
    assert found.notes == ()


@pytest.mark.parametrize(
    "state",
    [
        {"power": "PowerState/deallocated"},
        {"power": "PowerState/stopped"},
        {"state": "Deleting"},
        {"state": "Failed", "power": ""},
    ],
)
def test_a_machine_that_is_off_or_goes_is_followed_by_another(
    look: Look, arm_server: FakeArm, state: dict[str, str]
) -> None:
    stand(arm_server)
    arm_server.rent(GROUP, name(0), TAGS, **state)
    found = look(T4)
    assert found.attempt == 1
    assert any("try 2 goes on from the newest checkpoint" in note for note in found.notes)


def test_a_machine_that_starts_still_is_waited_for(look: Look, arm_server: FakeArm) -> None:
    arm_server.rent(GROUP, name(0), TAGS, state="Creating", power="")
    assert look(T4).attempt == 0


@pytest.mark.parametrize("told", ["started.json", "interruptions"])
def test_notes_know_of_machines_that_are_gone(
    look: Look, arm_server: FakeArm, runs: MemoryStore, told: str
) -> None:
    stand(arm_server)
    if told == "started.json":
        runs.put(f"{NOTES}/started.json", f'{{"machine": "{name(2)}"}}'.encode())
    else:
        runs.put(f"{NOTES}/interruptions/{name(2)}.json", b'{"code": 83}')
    assert look(T4).attempt == 3
    runs.put(f"{NOTES}/outcome.json", b'{"code": 0}')
    assert look(T4).attempt == 2  # the job is done: nothing new is rented


def test_the_journal_knows_of_one_that_never_told(look: Look) -> None:
    lease(0)
    assert look(T4).attempt == 1


def test_what_cannot_be_read_rents_nothing_new(
    look: Look, arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand(arm_server)
    lease(1)

    def shut(where: Any) -> MemoryStore:
        raise HostError("the storage does not let this address in")

    monkeypatch.setattr(tries, "open_store", shut)
    found = look(T4)
    assert found.attempt == 1
    assert any(
        "cannot be read now (the storage does not let this address in)" in note for note in found.notes
    )


def test_ids_are_of_this_stack_s_group() -> None:
    machine = part_id(SUBSCRIPTION, STAMP, "Microsoft.Compute/virtualMachines", name(0))
    assert machine.startswith(f"{GROUP_ID}/providers/")
    assert len(name(10)) <= 64
    assert SIZES[T4.name] is T4
