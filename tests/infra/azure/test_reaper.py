"""What of ours is ended on Azure and what is left alone, and the receipt: by the rules, and at the stand-in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.azure.arm import Arm
from infra.azure.errors import AccountError
from infra.azure.names import account_name, group_name
from infra.azure.owned import OwnedMachine, machine_state, owned_machines
from infra.azure.reaper import end_leftovers, look, plan_reaping, reap
from infra.azure.receipt import receipt_of
from infra.journal import Journal, Lease
from infra.receipt import Receipt
from infra.vm.marks import LEASE, STAMP
from tests.infra.azure.desk import arm_server
from tests.infra.azure.fake_arm import LOCATION, SUBSCRIPTION, FakeArm

__all__ = ["arm_server"]
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
EARLY, LATE = NOW + timedelta(hours=1), NOW - timedelta(minutes=1)
ACCOUNT = account_name(SUBSCRIPTION, LOCATION)
MARK = "sonarstack-night-abc123"
GROUP = group_name(MARK)


def machine(name: str = "m", **changed: Any) -> OwnedMachine:
    values: dict[str, Any] = {
        "id": f"/x/{name}", "name": name, "location": LOCATION, "stamp": MARK, "lease_until": EARLY,
        "type_name": "Standard_NC4as_T4_v3", "spot": True, "state": "Succeeded",
    }  # fmt: skip
    return OwnedMachine(**{**values, **changed})


def lease(name: str = "m", **changed: Any) -> Lease:
    values: dict[str, Any] = {
        "cloud": "azure", "account": ACCOUNT, "kind": "group", "name": name, "stamp": MARK, "run": "run",
        "rented_at": NOW - timedelta(hours=2), "lease_until": EARLY, "price_usd_per_h": 0.3, "id": name,
    }  # fmt: skip
    return Lease(**{**values, **changed})


def judged(*machines: OwnedMachine, leases: tuple[Lease, ...] = ()) -> list[tuple[str, str]]:
    return [(one.action, one.name) for one in plan_reaping(machines, leases, location=LOCATION, now=NOW)]


def test_only_what_is_past_its_lease_ends() -> None:
    assert judged(machine("a"), machine("b", lease_until=LATE), machine("c", lease_until=None)) == [
        ("keep", "a"), ("end", "b"), ("warn", "c"),
    ]  # fmt: skip


def test_a_machine_that_goes_already_needs_no_word() -> None:
    assert judged(machine(state="Deleting", lease_until=LATE)) == []
    assert judged(machine(state="Failed", lease_until=LATE)) == [("end", "m")]


def test_the_journal_learns_that_a_machine_is_over() -> None:
    assert judged(leases=(lease(lease_until=LATE),)) == [("settle", "m")]
    assert judged(machine(state="Deleting"), leases=(lease(),)) == [("settle", "m")]
    assert judged(leases=(lease(),)) == []  # perhaps it is being made
    assert judged(leases=(lease(lease_until=LATE, ended_at=LATE),)) == []
    assert judged(machine(), leases=(lease(lease_until=LATE),)) == [("keep", "m")]


def test_the_price_is_the_journal_s() -> None:
    (found,) = plan_reaping([machine()], [lease()], location=LOCATION, now=NOW)
    assert (found.usd_per_h, found.gpu, found.kind) == (0.3, "Standard_NC4as_T4_v3", "machine")


# at the stand-in


@pytest.fixture
def arm(arm_server: FakeArm) -> Iterator[Arm]:
    with Arm(pause=lambda _: None) as made:
        yield made


def tags(until: datetime | None, stamp: str = MARK) -> dict[str, str]:
    return {STAMP: stamp, **({LEASE: until.strftime("%Y-%m-%dT%H:%M:%SZ")} if until else {})}


def test_what_is_late_is_ended_and_nothing_else(arm: Arm, arm_server: FakeArm) -> None:
    now, journal = datetime.now(UTC), Journal()
    late = arm_server.rent(GROUP, "late", tags(now - timedelta(minutes=5)))
    for name, mark in {"early": tags(now + timedelta(hours=1)), "by-hand": tags(None), "theirs": {}}.items():
        arm_server.rent(GROUP, name, mark)
    arm_server.rent(GROUP, "elsewhere", tags(now - timedelta(minutes=5)), location="westus3")
    journal.write(lease("late", lease_until=now))
    found = look(arm, SUBSCRIPTION, LOCATION, ACCOUNT, journal=journal)
    assert sorted((one.action, one.name) for one in found) == [
        ("end", "late"), ("keep", "early"), ("warn", "by-hand"),
    ]  # fmt: skip
    done = list(reap(arm, found, ACCOUNT, journal=journal))
    assert [(one.finding.name, one.error) for one in done] == [("late", "")]
    assert [path for verb, path in arm_server.asked if verb == "DELETE"] == [late]
    ended = journal.newest(ACCOUNT, "late")
    assert ended is not None
    assert ended.end_reason.startswith("reaped: its lease was over")


def test_an_end_that_is_refused_is_told_and_the_next_is_done(arm: Arm, arm_server: FakeArm) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    arm_server.rent(GROUP, "one", tags(past))
    arm_server.rent(GROUP, "two", tags(past))
    arm_server.fail("DELETE", "/one", 403, "AuthorizationFailed")
    found = look(arm, SUBSCRIPTION, LOCATION, ACCOUNT)
    told = {one.finding.name: one.error for one in reap(arm, found, ACCOUNT)}
    assert "may not ask Azure for the end of the machine" in told["one"]
    assert told["two"] == ""


def test_one_stack_s_are_told_apart_and_its_machine_is_looked_at_closely(
    arm: Arm, arm_server: FakeArm
) -> None:
    mine = arm_server.rent(GROUP, "mine", tags(EARLY), power="PowerState/deallocated")
    arm_server.rent(GROUP, "yours", tags(EARLY, "other"))
    assert [one.name for one in owned_machines(arm, SUBSCRIPTION, LOCATION, "other")] == ["yours"]
    assert {one.stamp for one in owned_machines(arm, SUBSCRIPTION)} == {MARK, "other"}
    state = machine_state(arm, mine)
    assert state is not None
    assert (state.size, state.image_version, state.spot) == ("Standard_NC4as_T4_v3", "22.04.2026070101", True)
    assert (state.off, state.lives) == (True, False)
    assert machine_state(arm, f"{mine}-x") is None


def test_a_machine_that_no_state_knew_of_ends_after_a_destroy(arm: Arm, arm_server: FakeArm) -> None:
    where = arm_server.rent(GROUP, "stray", tags(EARLY))
    arm_server.rent(GROUP, "goes", tags(EARLY), state="Deleting")
    arm_server.rent(GROUP, "yours", tags(EARLY, "other"))
    assert end_leftovers(arm, SUBSCRIPTION, MARK) == ["stray"]
    assert [path for verb, path in arm_server.asked if verb == "DELETE"] == [where]


# the receipt


def receipt(arm: Arm, *, keep: bool = True) -> Receipt:
    return receipt_of(
        arm, SUBSCRIPTION, LOCATION, stack="night", stamp=MARK, keep_bucket=keep, worst_case_usd=3.6,
    )  # fmt: skip


def stand(fake: FakeArm) -> None:
    """What `down` leaves where the storage is to stay."""
    fake.groups[GROUP] = {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}", "location": LOCATION}
    for kind, name in (
        ("Microsoft.Storage/storageAccounts", "nightaccount"),
        ("Microsoft.KeyVault/vaults", "sonar-keys-0123456789"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", f"{MARK}-encryption"),
    ):
        fake.put(kind, name, GROUP, tags={STAMP: MARK})


def test_a_receipt_tells_what_ended_and_what_is_left(arm: Arm, arm_server: FakeArm) -> None:
    Journal().write(lease("m", lease_until=NOW - timedelta(hours=1)))
    stand(arm_server)
    workspace = arm_server.put("Microsoft.OperationalInsights/workspaces", "night-logs", GROUP)
    arm_server.costs = [[1.25, "EUR"], [0.25, "EUR"]]
    found = receipt(arm)
    assert [(one.kind, one.name, one.reason, one.billed_usd) for one in found.ended] == [
        ("group", "m", "reaped: it has no machine any more", 1.5)
    ]
    assert [(one.kind, one.id) for one in found.left] == [
        ("Microsoft.OperationalInsights/workspaces", workspace)
    ]
    assert any("stays on purpose" in note and "storage account nightaccount" in note for note in found.notes)
    del arm_server.parts[workspace.lower()]
    again = receipt(arm)
    assert again.clean
    assert "nothing of stack night is left that bills" in "\n".join(again.lines())
    gone = receipt(arm, keep=False)
    assert {one.kind for one in gone.left} == {
        "resourceGroups", "Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
    }  # fmt: skip


def test_an_identity_of_the_machine_s_is_not_left_on_purpose(arm: Arm, arm_server: FakeArm) -> None:
    stand(arm_server)
    arm_server.put("Microsoft.ManagedIdentity/userAssignedIdentities", f"{MARK}-machine", GROUP)
    assert [one.name for one in receipt(arm).left] == [f"{MARK}-machine"]


@pytest.mark.parametrize(
    "kind", ["Microsoft.Compute/disks", "Microsoft.Network/natGateways", "Microsoft.Network/bastionHosts"]
)
def test_what_bills_by_the_hour_is_told_by_its_own_service(arm: Arm, arm_server: FakeArm, kind: str) -> None:
    stand(arm_server)
    arm_server.put(kind, "left", GROUP, properties={"provisioningState": "Succeeded"})
    found = receipt(arm)
    assert [(one.kind, one.name) for one in found.left] == [(kind, "left")]
    assert not found.clean


def test_what_a_list_by_tags_has_not_forgotten_yet_is_no_machine(arm: Arm, arm_server: FakeArm) -> None:
    stand(arm_server)
    arm_server.put(
        "Microsoft.Network/natGateways", "going", GROUP, properties={"provisioningState": "Deleting"}
    )
    found = receipt(arm)
    assert found.clean
    assert any("lists 1 parts for some minutes after their end" in note for note in found.notes)


def test_a_machine_that_lives_is_in_the_receipt(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.rent(GROUP, "m", tags(datetime.now(UTC) + timedelta(hours=1)))
    assert [(one.kind, one.name) for one in receipt(arm).left] == [("machine", "m")]


@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        (
            lambda fake: fake.fail("POST", "/query", 403, "RBACAccessDenied"),
            "no bill: your identity may not ask",
        ),
        (lambda fake: fake.fail("POST", "/query", 404, "NotFound"), "no bill: Azure refuses the bill"),
        (lambda fake: None, "the bill of Azure is up to a day late"),
        (
            lambda fake: fake.costs.append(["much", "USD"]),
            "no bill: Cost Management's answer is not as documented",
        ),
    ],
)
def test_a_bill_that_nobody_tells_is_noted(arm: Arm, arm_server: FakeArm, spoil: Any, note: str) -> None:
    Journal().write(lease("m", ended_at=NOW))
    spoil(arm_server)
    found = receipt(arm)
    assert found.billed_usd is None
    assert any(one.startswith(note) for one in found.notes)
    assert arm_server.token not in "\n".join(found.lines())


def test_a_receipt_says_nothing_where_azure_cannot_be_asked(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.fail("GET", "/virtualMachines", 401, "ExpiredAuthenticationToken")
    with pytest.raises(AccountError, match="has expired"):
        receipt(arm)
