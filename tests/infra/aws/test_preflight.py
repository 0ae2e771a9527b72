"""What is asked of an account before anything is made: moto's account, with quotas given, of which moto knows none."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.stub import Stubber

from infra.aws import preflight
from infra.aws.account import client
from infra.aws.errors import AccountError, AwsError, NoOfferError, QuotaError
from infra.aws.names import bucket_name
from infra.aws.preflight import Account, assumed_account, look_at_account
from infra.aws.service_roles import SERVICES
from infra.aws.types import TYPES
from tests.infra.aws_server import REGION

ACCOUNT = "123456789012"
T4, A10G, A100, L4 = (TYPES[name] for name in ("g4dn.xlarge", "g5.xlarge", "p4d.24xlarge", "g6.xlarge"))
SPOT_G, ON_DEMAND_G, ON_DEMAND_P = "L-3819A6DF", "L-DB2E81BA", "L-417A185B"
Look = Callable[..., Account]


@cache
def opened(address: str, service: str, key: str | None) -> Any:
    """A client; making one takes a tenth of a second."""
    return client(service, REGION)


@pytest.fixture
def look(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """Looks at moto's account; `quotas` in vCPUs by code."""

    stub = Stubber(opened(aws, "service-quotas", os.environ["AWS_ACCESS_KEY_ID"]))

    def asked(*types: Any, quotas: dict[str, float], **changed: Any) -> Account:
        def given(service: str, region: str | None = None) -> Any:
            made = opened(aws, service, os.environ.get("AWS_ACCESS_KEY_ID"))
            if service == "service-quotas":
                for code, vcpus in quotas.items():
                    stub.add_response(
                        "get_service_quota",
                        {"Quota": {"Value": vcpus}},
                        {"ServiceCode": "ec2", "QuotaCode": code},
                    )
            return made

        monkeypatch.setattr(preflight, "client", given)
        wanted = {
            "market": "spot",
            "max_usd_per_h": 0.8,
            "stamp": "sonarstack-night-abc123",
            "may_change": False,
        }
        return look_at_account(REGION, types, **{**wanted, **changed})

    with stub:
        yield asked


def roles() -> set[str]:
    return {one["RoleName"] for one in client("iam", REGION).list_roles()["Roles"]}


def test_who_where_what_and_what_to_know(look: Look) -> None:
    found = look(T4, A10G, quotas={SPOT_G: 8})
    assert found.account_id == ACCOUNT
    assert found.readers == (f"arn:aws:sts::{ACCOUNT}:user/moto",)
    assert found.types == (T4, A10G)
    assert found.zones == tuple(sorted(found.zones))
    assert f"{REGION}a" in found.zones
    assert found.kept is None
    assert any("your limit is $0.8" in note for note in found.notes)


def test_a_type_above_its_quota_is_told_and_left_out(look: Look) -> None:
    found = look(A100, T4, quotas={ON_DEMAND_P: 8, ON_DEMAND_G: 8}, market="on_demand")
    assert found.types == (T4,)
    assert sum("p4d.24xlarge needs 96 vCPUs" in note for note in found.notes) == 1


@pytest.mark.parametrize(
    ("types", "changed", "error", "said"),
    [
        (
            (T4,),
            {"quotas": {SPOT_G: 0}},
            QuotaError,
            r"g4dn\.xlarge needs 4 vCPUs and your account may run 0",
        ),
        (
            (T4,),
            {"quotas": {SPOT_G: 8}, "zones": ("us-east-1z",)},
            NoOfferError,
            r"sonarstack:zones=us-east-1z: none of them has g4dn\.xlarge; us-east-1a, .* do",
        ),
        (
            (T4,),
            {"quotas": {SPOT_G: 8}, "max_usd_per_h": 0.000001},
            NoOfferError,
            "below every spot price now.*set sonarstack:maxUsdPerH to 0.01 or more",
        ),
        (
            (T4, A10G),
            {"quotas": {ON_DEMAND_G: 8}, "market": "on_demand"},
            NoOfferError,
            r"maxUsdPerH=0\.8 is below the on-demand price: g5\.xlarge is \$1\.006 \(2026-06-01\); raise it, or leave",
        ),
        (
            (T4, A10G),
            {"quotas": {SPOT_G: 8}, "on_demand_after": 3},
            NoOfferError,
            r"maxUsdPerH=0\.8 is below the on-demand price: g5\.xlarge is \$1\.006",
        ),
        (
            (T4, L4),
            {"quotas": {SPOT_G: 8}, "on_demand_after": 3},
            NoOfferError,
            r"onDemandAfter=3 may rent g6\.xlarge on demand, whose price in us-east-1 is not known here; leave it out",
        ),
        (
            (T4,),
            {"quotas": {SPOT_G: 8, ON_DEMAND_G: 0}, "on_demand_after": 3},
            QuotaError,
            r"onDemandAfter=3: g4dn\.xlarge needs 4 vCPUs and your account may run 0 \(Running On-Demand G",
        ),
    ],
)
def test_what_forbids_the_machine_is_one_line(
    look: Look, types: tuple[Any, ...], changed: dict[str, Any], error: type[AwsError], said: str
) -> None:
    with pytest.raises(error, match=said) as refused:
        look(*types, **changed, may_change=True)
    assert "\n" not in str(refused.value)
    assert roles() == set()  # nothing was made before the refusal


def test_only_the_wanted_zones_are_taken(look: Look) -> None:
    assert look(T4, quotas={SPOT_G: 8}, zones=("us-east-1b", "us-east-1x")).zones == ("us-east-1b",)


def test_on_demand_below_the_ceiling_says_nothing_of_prices_it_knows(look: Look) -> None:
    assert look(T4, quotas={ON_DEMAND_G: 8}, market="on_demand").notes == ()


def test_spot_that_may_end_on_demand_is_looked_at_as_both(look: Look) -> None:
    found = look(
        T4, A100, quotas={SPOT_G: 8, "L-7212CCBC": 96, ON_DEMAND_G: 8, ON_DEMAND_P: 8},
        max_usd_per_h=40, on_demand_after=3,
    )  # fmt: skip
    assert found.types == (T4, A100)
    (note,) = [one for one in found.notes if "onDemandAfter" in one]
    assert note.startswith(
        "sonarstack:onDemandAfter=3: p4d.24xlarge needs 96 vCPUs and your account may run 8"
    )


def test_on_demand_without_a_known_price_says_so(look: Look) -> None:
    (note,) = look(L4, quotas={ON_DEMAND_G: 8}, market="on_demand").notes
    assert note == "no sourced on-demand price of g6.xlarge in us-east-1 is at hand; AWS bills its own"


@pytest.mark.parametrize(("market", "code", "made"), [("spot", SPOT_G, 2), ("on_demand", ON_DEMAND_G, 1)])
def test_service_roles_are_made_by_an_up_alone(look: Look, market: str, code: str, made: int) -> None:
    assert look(T4, quotas={code: 8}, market=market).account_id == ACCOUNT
    assert roles() == set()
    told = look(T4, quotas={code: 8}, market=market, may_change=True).notes
    # moto gives the second one a name of its own, so that only its number can be seen.
    assert SERVICES["autoscaling.amazonaws.com"] in roles()
    assert len(roles()) == made
    assert sum("which AWS's own service needs; it stays" in note for note in told) == made


def test_a_service_role_that_is_there_is_left_alone(look: Look) -> None:
    for _ in range(2):
        notes = look(T4, quotas={ON_DEMAND_G: 8}, market="on_demand", may_change=True).notes
    assert notes == ()
    assert len(roles()) == 1


def test_a_bucket_that_stayed_is_taken_up_with_its_key(look: Look) -> None:
    s3 = client("s3", REGION)
    name = bucket_name(ACCOUNT, REGION, "sonarstack-night-abc123")
    s3.create_bucket(Bucket=name)
    key = client("kms", REGION).create_key()["KeyMetadata"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    kept = look(T4, quotas={SPOT_G: 8}).kept
    assert kept is not None
    assert kept.key_id == key["KeyId"]


def test_without_credentials_nothing_else_is_asked(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccountError, match="there are no AWS credentials to ask for your AWS account"):
        look(T4, quotas={})


def test_a_look_without_an_account_assumes_three_zones_or_the_wanted_ones() -> None:
    assert assumed_account(REGION, (), (T4,)).zones == ("us-east-1a", "us-east-1b", "us-east-1c")
    assert assumed_account(REGION, ("us-east-1d",), (T4,)).zones == ("us-east-1d",)
