"""Quota, zones and spot prices, through the real boto3: moto's server where it tells the truth, a stub where it cannot.

moto knows no EC2 quotas and has one made-up price for everything, so those answers are given here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from infra.aws.account import client
from infra.aws.errors import AccountError, AwsError, NoOfferError, QuotaError
from infra.aws.offers import SpotOffer, spot_offers, within, zones_for_network, zones_of
from infra.aws.quota import check_quota
from infra.aws.types import TYPES, choose_types
from tests.infra.aws.things import REGION

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
T4, A10G, A100 = TYPES["g4dn.xlarge"], TYPES["g5.xlarge"], TYPES["p4d.24xlarge"]


@pytest.fixture
def quotas(aws: str) -> Iterator[tuple[Any, Stubber]]:
    """A client of service-quotas whose answers are given."""
    asked = client("service-quotas", REGION)
    with Stubber(asked) as stub:
        yield asked, stub
        stub.assert_no_pending_responses()


def tell(stub: Stubber, code: str, vcpus: float) -> None:
    stub.add_response(
        "get_service_quota",
        {"Quota": {"QuotaCode": code, "Value": vcpus}},
        {"ServiceCode": "ec2", "QuotaCode": code},
    )


def test_a_quota_that_is_enough(quotas) -> None:
    asked, stub = quotas
    tell(stub, "L-3819A6DF", 4)
    checked = check_quota(asked, (T4, A10G), "spot", region=REGION)  # one quota for both, asked once
    assert (checked.fit, checked.notes) == ((T4, A10G), ())


def test_a_quota_of_nothing_names_itself_and_where_to_ask(quotas) -> None:
    asked, stub = quotas
    tell(stub, "L-DB2E81BA", 0)
    with pytest.raises(QuotaError) as refused:
        check_quota(asked, (T4,), "on_demand", region=REGION)
    said = str(refused.value)
    assert "g4dn.xlarge needs 4 vCPUs and your account may run 0" in said
    assert "L-DB2E81BA" in said
    assert (
        "https://us-east-1.console.aws.amazon.com/servicequotas/home/services/ec2/quotas/L-DB2E81BA" in said
    )
    assert "\n" not in said


def test_what_does_not_fit_is_told_and_the_others_go_on(quotas) -> None:
    asked, stub = quotas
    tell(stub, "L-417A185B", 8)
    tell(stub, "L-DB2E81BA", 8)
    checked = check_quota(asked, (A100, T4), "on_demand", region=REGION)
    assert checked.fit == (T4,)
    assert len(checked.notes) == 1
    assert "p4d.24xlarge needs 96 vCPUs and your account may run 8" in checked.notes[0]


def test_an_account_that_never_changed_it_has_aws_s_own(quotas) -> None:
    asked, stub = quotas
    stub.add_client_error("get_service_quota", "NoSuchResourceException", "none", 400)
    stub.add_response("get_aws_default_service_quota", {"Quota": {"Value": 0.0}})
    with pytest.raises(QuotaError, match="may run 0"):
        check_quota(asked, (T4,), "spot", region=REGION)


def test_a_right_that_is_missing_is_named(quotas) -> None:
    asked, stub = quotas
    stub.add_client_error("get_service_quota", "AccessDeniedException", "no", 400)
    with pytest.raises(AccountError, match=r"may not ask for quota L-3819A6DF \(GetServiceQuota"):
        check_quota(asked, (T4,), "spot", region=REGION)


def test_an_answer_nobody_expects_is_no_quota(aws: str) -> None:
    """moto knows neither EC2's quotas nor their defaults."""
    with pytest.raises(AwsError, match="quota L-3819A6DF"):
        check_quota(
            client("service-quotas", REGION, retries={"total_max_attempts": 1}), (T4,), "spot", region=REGION
        )


def test_zones_are_those_that_have_the_type(aws: str) -> None:
    zones = zones_of(client("ec2", REGION), choose_types(("g4dn.xlarge", "p4d.24xlarge")))
    assert list(zones) == ["g4dn.xlarge", "p4d.24xlarge"]
    assert all(zone.startswith(REGION) for several in zones.values() for zone in several)
    assert set(zones["p4d.24xlarge"]) <= set(zones["g4dn.xlarge"])
    assert zones_for_network(zones) == tuple(sorted(set(zones["g4dn.xlarge"])))


def test_a_region_without_the_type_is_told(aws: str) -> None:
    with pytest.raises(NoOfferError, match=r"no zone of us-west-1 has p4d\.24xlarge"):
        zones_of(client("ec2", "us-west-1"), (A100,))


def test_prices_come_from_aws_s_answer(aws: str) -> None:
    offers = spot_offers(client("ec2", REGION), (T4, A10G))
    assert {offer.type_name for offer in offers} == {"g4dn.xlarge", "g5.xlarge"}
    assert all(offer.price_usd_per_h > 0 for offer in offers)
    places = [(offer.type_name, offer.zone) for offer in offers]
    assert len(places) == len(set(places))


def test_the_newest_price_of_each_place_counts_and_the_cheapest_is_first(aws: str) -> None:
    ec2 = client("ec2", REGION)
    rows = [
        ("g4dn.xlarge", "us-east-1a", "0.31", NOW - timedelta(hours=2)),
        ("g4dn.xlarge", "us-east-1a", "0.21", NOW - timedelta(hours=1)),
        ("g4dn.xlarge", "us-east-1b", "0.19", NOW),
        ("g5.xlarge", "us-east-1a", "0.20", NOW),
    ]
    history = [
        {"InstanceType": kind, "AvailabilityZone": zone, "SpotPrice": price, "Timestamp": when,
         "ProductDescription": "Linux/UNIX"}
        for kind, zone, price, when in rows
    ]  # fmt: skip
    with Stubber(ec2) as stub:
        stub.add_response(
            "describe_spot_price_history",
            {"SpotPriceHistory": history},
            {
                "InstanceTypes": ["g4dn.xlarge", "g5.xlarge"],
                "ProductDescriptions": ["Linux/UNIX"],
                "StartTime": NOW,
            },
        )
        offers = spot_offers(ec2, (T4, A10G), now=NOW)
    assert [(offer.zone, offer.price_usd_per_h) for offer in offers] == [
        ("us-east-1b", 0.19), ("us-east-1a", 0.20), ("us-east-1a", 0.21),
    ]  # fmt: skip


def offer(price: float, zone: str = "us-east-1a") -> SpotOffer:
    return SpotOffer(type_name="g4dn.xlarge", zone=zone, price_usd_per_h=price, as_of=NOW)


def test_a_bid_reaches_what_costs_no_more() -> None:
    offers = (offer(0.2), offer(0.25, "us-east-1b"), offer(0.3, "us-east-1c"))
    assert within(offers, 0.25) == offers[:2]


def test_a_bid_below_every_price_is_told_the_cheapest_and_what_would_do() -> None:
    with pytest.raises(NoOfferError) as refused:
        within((offer(0.2513), offer(0.3, "us-east-1b")), 0.1)
    assert (
        "the cheapest is g4dn.xlarge in us-east-1a at $0.2513/h: set sonarstack:maxUsdPerH to 0.26 or more"
        in str(refused.value)
    )


def test_no_price_at_all_is_told() -> None:
    with pytest.raises(NoOfferError, match="no spot price"):
        within((), 1.0)
