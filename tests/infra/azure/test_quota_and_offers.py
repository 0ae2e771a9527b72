"""Whether a subscription may run a size, whether a place sells it, for how much, and from where we are seen."""

from collections.abc import Iterator

import pytest

from infra.azure.arm import Arm
from infra.azure.caller_address import caller_address
from infra.azure.errors import AccountError, AzureError, NoOfferError, QuotaError
from infra.azure.offers import offers_in, prices_now, within
from infra.azure.quota import allowances, check_quota
from infra.azure.sizes import SIZES
from infra.errors import PriceError
from tests.infra.azure.desk import A100, T4, arm_server, sku
from tests.infra.azure.fake_arm import LOCATION, SUBSCRIPTION, FakeArm

__all__ = ["arm_server"]


@pytest.fixture
def arm(arm_server: FakeArm) -> Iterator[Arm]:
    with Arm(pause=lambda _: None) as made:
        yield made


# quota


def test_a_size_above_its_family_s_quota_is_told_with_where_to_ask(arm: Arm) -> None:
    found = check_quota(arm, SUBSCRIPTION, LOCATION, (A100, T4), "on_demand")
    assert found.fit == (T4,)
    (note,) = found.notes
    assert "Standard_NC24ads_A100_v4 needs 24 vCPUs and your subscription may run 0 more" in note
    assert "0 of 0 used, eastus): ask for 24 at https://portal.azure.com" in note


def test_what_runs_already_counts(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.usages["lowPriorityCores"] = (8, 6)
    with pytest.raises(
        QuotaError, match=r"may run 2 more \(lowPriorityCores vCPUs, 6 of 8 used, eastus\): ask for 10"
    ):
        check_quota(arm, SUBSCRIPTION, LOCATION, (T4,), "spot")


def test_spot_has_its_own_quota_whatever_the_family(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.usages["lowPriorityCores"] = (24, 0)
    assert check_quota(arm, SUBSCRIPTION, LOCATION, (A100,), "spot").fit == (A100,)


def test_the_region_s_quota_counts_on_demand_too(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.usages["cores"] = (10, 8)
    with pytest.raises(QuotaError, match=r"may run 2 more \(cores vCPUs"):
        check_quota(arm, SUBSCRIPTION, LOCATION, (T4,), "on_demand")


def test_a_quota_that_is_not_listed_was_never_given(arm: Arm, arm_server: FakeArm) -> None:
    del arm_server.usages[T4.family]
    with pytest.raises(QuotaError, match=r"may run 0 more \(Standard NCASv3_T4 Family, 0 of 0"):
        check_quota(arm, SUBSCRIPTION, LOCATION, (T4,), "on_demand")


def test_families_are_known_however_azure_spells_them(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.usages = {"cores": (100, 0), "standardNCASv3_T4Family": (8, 0)}
    assert check_quota(arm, SUBSCRIPTION, LOCATION, (T4,), "on_demand").fit == (T4,)
    renamed = {T4.name: "standardNCASv3T4NewFamily"}
    with pytest.raises(QuotaError, match="standardNCASv3T4NewFamily"):
        check_quota(arm, SUBSCRIPTION, LOCATION, (T4,), "on_demand", families=renamed)


def test_who_may_not_look_is_told(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.fail("GET", "/usages", 403, "AuthorizationFailed")
    with pytest.raises(AccountError, match=r"may not ask Azure for quotas in eastus \(AuthorizationFailed\)"):
        allowances(arm, SUBSCRIPTION, LOCATION)


# offers


def test_what_the_place_sells_in_the_wanted_order(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.skus = [sku(T4.name, "t4"), sku(A100.name, "a100", host=False), sku("Standard_D4s_v5", "d")]
    found = offers_in(arm, SUBSCRIPTION, LOCATION, (A100, T4), "spot")
    assert [(one.size, one.family, one.host_encryption) for one in found] == [
        (A100, "a100", False), (T4, "t4", True),
    ]  # fmt: skip


def test_a_size_shut_to_the_subscription_is_left_out_and_one_of_a_zone_is_not(
    arm: Arm, arm_server: FakeArm
) -> None:
    shut = {"reasonCode": "NotAvailableForSubscription", "values": [LOCATION]}
    arm_server.skus = [
        sku(T4.name, "t4", restrictions=[{"type": "Zone", **shut}]),
        sku(A100.name, "a100", restrictions=[{"type": "Location", **shut}]),
    ]
    assert [one.size for one in offers_in(arm, SUBSCRIPTION, LOCATION, (A100, T4), "spot")] == [T4]
    with pytest.raises(
        NoOfferError, match=r"A100_v4 is shut to your subscription in eastus \(NotAvailableFor"
    ) as no:
        offers_in(arm, SUBSCRIPTION, LOCATION, (A100,), "spot")
    assert "sonarstack:location" in str(no.value)


def test_a_place_without_the_size_or_without_spot(arm: Arm, arm_server: FakeArm) -> None:
    arm_server.skus = [sku(T4.name, "t4", spot=False)]
    assert offers_in(arm, SUBSCRIPTION, LOCATION, (T4,), "on_demand")[0].spot is False
    with pytest.raises(
        NoOfferError, match="T4_v3 is not sold as spot in eastus; eastus has no Standard_NC24ads"
    ):
        offers_in(arm, SUBSCRIPTION, LOCATION, (T4, A100), "spot")


# prices


def test_the_price_of_this_hour_by_market(arm_server: FakeArm) -> None:
    found = prices_now(LOCATION, (T4, A100))
    assert within(found, (T4,), "spot", 1.0) == {T4.name: 0.19}
    assert within(found, (A100, T4), "on_demand", 1.0) == {T4.name: 0.526}


def test_a_limit_below_every_price_is_answered_with_one_that_would_do(arm_server: FakeArm) -> None:
    with pytest.raises(
        NoOfferError, match=r"\$0\.1/h is below every on-demand price now.*\$0\.526/h.*to 0\.53 or more"
    ):
        within(prices_now(LOCATION, (T4, A100)), (T4, A100), "on_demand", 0.1)


def test_a_size_without_a_price_is_left_to_azure(arm_server: FakeArm) -> None:
    found = prices_now(LOCATION, (T4, A100))
    assert within(found, (A100, T4), "spot", 0.1) == {A100.name: None}
    assert within(found, (SIZES["Standard_ND96asr_v4"],), "spot", 0.1) == {"Standard_ND96asr_v4": None}


def test_a_price_list_that_does_not_answer(arm_server: FakeArm) -> None:
    arm_server.fail("GET", "/prices", 503)
    with pytest.raises(PriceError, match="price list does not answer as documented"):
        prices_now(LOCATION, (T4,))


# our own address


def test_the_address_is_the_setting_s_the_variable_s_or_what_the_service_sees(
    arm_server: FakeArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm_server.seen_address = "9.9.9.9\n"
    assert caller_address() == "9.9.9.9"
    monkeypatch.setenv("SONARSTACK_CALLER_ADDRESS", "8.8.4.4/32")
    assert caller_address() == "8.8.4.4"
    assert caller_address("8.8.8.0/28") == "8.8.8.0/28"
    assert [path for _, path in arm_server.asked] == ["/address"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("2001:db8::1", "is no IPv4 address or block"),
        ("<html>", "is no IPv4 address or block"),
        ("10.1.2.3", "is not public; set SONARSTACK_CALLER_ADDRESS"),
        ("100.64.0.9", "is not public"),
        ("0.0.0.0/0", "opens the storage to 4294967296 addresses; name /16 at most"),
        ("8.8.8.8/31", "a block that Azure's storage firewall refuses"),
        ("8.8.8.8/24", "is no IPv4 address or block"),
    ],
)
def test_an_address_that_the_firewall_would_not_take(address: str, says: str) -> None:
    with pytest.raises(AzureError, match=says):
        caller_address(address)


def test_a_service_that_does_not_tell_is_one_line(arm_server: FakeArm) -> None:
    arm_server.fail("GET", "/address", 500)
    with pytest.raises(
        AzureError, match=r"does not tell your public address.*set SONARSTACK_CALLER_ADDRESS"
    ) as told:
        caller_address()
    assert "\n" not in str(told.value)
    arm_server.seen_address = "<html>log in first</html>"
    with pytest.raises(AzureError, match="answer '<html>log in first</html>' is no IPv4 address"):
        caller_address()
