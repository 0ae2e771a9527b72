"""A receipt: what it says, and where it is kept."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from infra.receipt import Ended, Left, Receipt, keep_receipt, last_clean, receipt_beside

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
POD = Ended(
    kind="pod", name="s-1", id="p1", hours=1.5, clock_usd=0.66, worst_usd=4.8, billed_usd=0.64, reason="destroyed"
)  # fmt: skip
VOLUME = Ended(
    kind="volume", name="s-v", id="v1", hours=2, clock_usd=0.01, worst_usd=0, billed_usd=None, reason="destroyed"
)  # fmt: skip
LEFT = Left(kind="pod", name="s-2", id="p2", usd_per_h=0.44, until=AT, reason="its lease ends in 1 h")


def receipt(**more) -> Receipt:
    values = {
        "cloud": "Runpod",
        "account": "https://api.test/v2",
        "simulated": False,
        "stack": "runpod",
        "stamp": "s",
        "at": AT,
        "ended": (POD, VOLUME),
        "left": (),
        "listed": {"pods": (0, 2), "volumes": (0, 1)},
    }
    return Receipt(**{**values, **more})


def test_what_it_says_when_all_is_over() -> None:
    lines = receipt(worst_case_usd=5.2).lines()
    assert lines[0] == "receipt of stack runpod, 2026-11-22 12:00 UTC"
    assert "  pod s-1 (p1): 1.50 h, $0.66 by our clock, $0.64 billed; destroyed" in lines
    assert (
        "forecast: at most $5.20, $0.67 by our clock; Runpod's bill: $0.64 so far, not in yet: s-v" in lines
    )
    assert "the account lists: 0 pods of ours and 2 in all, 0 volumes of ours and 1 in all" in lines
    assert lines[-1] == "nothing of stack runpod is left that bills"


def test_without_a_bill_it_says_so_and_without_settings_the_leases_tell_the_worst() -> None:
    lines = receipt(ended=(VOLUME,)).lines()
    assert any("at most $0.00, $0.01 by our clock; Runpod's bill: not in yet" in line for line in lines)
    assert receipt().at_most_usd == 4.8
    assert receipt(ended=(POD, POD), worst_case_usd=5.2).at_most_usd == 9.6, "two leases, each within its own"
    assert receipt(ended=()).billed_usd is None
    assert "ended: nothing" in receipt(ended=()).lines()


def test_what_is_left_is_never_called_nothing() -> None:
    told = receipt(left=(LEFT,), simulated=True)
    assert not told.clean
    text = "\n".join(told.lines())
    assert "nothing of stack" not in text
    assert text.startswith("SIMULATED receipt")
    assert (
        "SIMULATED STILL BILLS:\n  pod s-2 (p2): $0.44 an hour, until 2026-11-22 12:00 UTC at the latest"
        in text
    )


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_it_is_kept_twice_and_beside_the_run_not_in_it(state) -> None:
    home = state / "runs" / "runpod"
    home.mkdir(parents=True)
    path = keep_receipt(receipt(), home)
    assert path == state / "state/sonarstack/receipts/s-20261122T120000.json"
    told = json.loads(path.read_text())
    assert json.loads(receipt_beside(home).read_text()) == told
    assert list(home.iterdir()) == []
    assert (told["clean"], told["billed_usd"], told["listed"]["pods"]) == (
        True,
        0.64,
        {"ours": 0, "in_all": 2},
    )
    keep_receipt(receipt(left=(LEFT,)), state / "no" / "home")
    assert json.loads(path.read_text())["left"][0]["until"] == AT.isoformat()


def test_the_last_clean_one_counts_of_this_stack_and_account(state) -> None:
    assert last_clean("s", "https://api.test/v2") is None
    keep_receipt(receipt())
    keep_receipt(receipt(at=AT + timedelta(hours=1), left=(LEFT,)))
    keep_receipt(receipt(at=AT + timedelta(hours=2), account="http://127.0.0.1:1/v2"))
    keep_receipt(receipt(at=AT + timedelta(hours=3), stamp="s-other"))
    (state / "state/sonarstack/receipts/s-9.json").write_text("{")
    assert last_clean("s", "https://api.test/v2") == AT
