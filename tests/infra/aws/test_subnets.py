"""The address plan: every zone its own share, whatever other zones there are."""

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.subnets import DOCKER, plan_subnets
from infra.errors import SettingsError

LETTERS = "abcdefghijklmnop"
zones = st.lists(st.sampled_from(LETTERS), min_size=1, unique=True).map(
    lambda letters: [f"eu-west-1{letter}" for letter in letters]
)


@st.composite
def networks(draw: st.DrawFn) -> str:
    prefix = draw(st.integers(16, 24))
    base = draw(st.sampled_from(["10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12"]))
    whole = IPv4Network(base)
    step = 2 ** (32 - prefix)
    index = draw(st.integers(0, whole.num_addresses // step - 1))
    network = IPv4Network((int(whole.network_address) + index * step, prefix))
    return str(IPv4Network("10.9.0.0/16") if network.overlaps(DOCKER) else network)


@given(networks(), zones)
def test_shares_lie_within_and_never_overlap(cidr: str, wanted: list[str]) -> None:
    plan = plan_subnets(cidr, wanted)
    assert [share.zone for share in plan] == wanted
    shares = [IPv4Network(share.cidr) for share in plan]
    assert all(share.subnet_of(IPv4Network(cidr)) for share in shares)
    assert all(16 <= share.prefixlen <= 28 for share in shares)
    assert not any(one.overlaps(other) for one, other in combinations(shares, 2))


@given(networks(), zones, zones)
def test_a_zone_keeps_its_share_whatever_the_others_are(
    cidr: str, some: list[str], others: list[str]
) -> None:
    before = {share.zone: share.cidr for share in plan_subnets(cidr, some)}
    after = {share.zone: share.cidr for share in plan_subnets(cidr, others)}
    assert all(before[zone] == after[zone] for zone in before.keys() & after.keys())


@pytest.mark.parametrize(
    ("cidr", "wanted", "says"),
    [
        ("10.20.0.0/28", ["us-east-1a"], "between /16 and /24"),
        ("10.0.0.0/8", ["us-east-1a"], "between /16 and /24"),
        ("10.20.0.1/16", ["us-east-1a"], "no network"),
        ("8.8.0.0/16", ["us-east-1a"], "not private"),
        ("172.17.0.0/16", ["us-east-1a"], "overlaps 172.17.0.0/16, which Docker has"),
        ("10.20.0.0/16", [], "no zone"),
        ("10.20.0.0/16", ["us-east-1"], "no availability zone"),
        ("10.20.0.0/16", ["us-east-1-bos-1a"], "no availability zone"),
        ("10.20.0.0/16", ["us-east-1a", "us-east-1a"], "different ones of one region"),
        ("10.20.0.0/16", ["us-east-1a", "eu-west-1b"], "different ones of one region"),
    ],
)
def test_what_cannot_be_is_refused(cidr: str, wanted: list[str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        plan_subnets(cidr, wanted)


def test_all_problems_come_at_once() -> None:
    with pytest.raises(SettingsError, match=r"not private.*no zone"):
        plan_subnets("8.8.0.0/16", [])
