"""What AWS says of a group's machine at this hour: its price on the spot market, by the table, or by nobody."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.aws import now as now_module
from infra.aws.errors import AccountError
from infra.aws.now import price_now

MACHINE = "i-0123456789abcdef0"


class Ec2:
    """Answers as EC2 does, of one machine and its market."""

    def __init__(self, lifecycle: str | None, type_name: str = "g4dn.xlarge") -> None:
        self._one: dict[str, Any] = {
            "InstanceType": type_name,
            "Placement": {"AvailabilityZone": "us-east-1b"},
            **({"InstanceLifecycle": lifecycle} if lifecycle else {}),
        }

    def describe_instances(self, InstanceIds: list[str]) -> dict[str, Any]:
        assert InstanceIds == [MACHINE]
        return {"Reservations": [{"Instances": [self._one]}]}

    def get_paginator(self, operation: str) -> "Ec2":
        assert operation == "describe_spot_price_history"
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        prices = {"us-east-1a": "0.15", "us-east-1b": "0.21"}
        rows = [
            {"InstanceType": asked["InstanceTypes"][0], "AvailabilityZone": zone, "SpotPrice": price,
             "Timestamp": datetime(2026, 11, 28, tzinfo=UTC)}
            for zone, price in prices.items()
        ]  # fmt: skip
        return [{"SpotPriceHistory": rows}]


@pytest.mark.parametrize(
    ("ec2", "price"),
    [
        (Ec2("spot"), 0.21),
        (Ec2(None), 0.526),
        (Ec2("spot", "m5.large"), None),
    ],
)
def test_the_price_of_this_hour(ec2: Ec2, price: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(now_module, "client", lambda *_: ec2)
    assert price_now("us-east-1", MACHINE) == price


def test_an_account_that_does_not_tell_the_price_leaves_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> Ec2:
        raise AccountError("no right")

    monkeypatch.setattr(now_module, "client", refuses)
    assert price_now("us-east-1", MACHINE) is None
