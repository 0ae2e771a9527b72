"""The meter is the exact integral of what was rented over simulated time."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runpod.simulator.billing import SIZES, floor, following, pod_billing
from infra.runpod.simulator.clock import Clock, rfc3339, seconds_of
from infra.runpod.simulator.meter import Bill, volume_rates
from tests.infra.runpod.simulator.asking import POD, account

DISK = 10 * 0.10 / 730


class Real:
    """A real clock that stands still unless told."""

    def __init__(self) -> None:
        self.s = 1_000_000.0

    def __call__(self) -> float:
        return self.s


def test_time_runs_fast_and_jumps() -> None:
    real = Real()
    clock = Clock(60, real=real)
    real.s += 10
    assert clock.now() == pytest.approx(1_000_600)
    clock.advance(3600)
    real.s += 1
    assert clock.now() == pytest.approx(1_004_260)
    clock.run(1)
    real.s += 5
    assert clock.now() == pytest.approx(1_004_265)
    assert clock.at(1_000_001.0) == pytest.approx(1_000_060), "the past stays what it was"
    again = Clock(1, clock.anchors, real=real)
    assert again.now() == pytest.approx(clock.now())
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="above 0"):
        clock.run(0)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 10)), max_size=6), st.floats(0, 1e6))
def test_an_integral_adds_up(changes: list[tuple[float, float]], cut: float) -> None:
    bill, expected, last = Bill(owner="x", name="x"), 0.0, None
    for at, rate in sorted(changes):
        if last is not None:
            expected += (at - last[0]) / 3600 * last[1]
        bill.change(at, {"gpuAmount": rate})
        last = (at, rate)
    if last is not None:
        expected += (1e6 - last[0]) / 3600 * last[1]
    assert bill.total_usd(1e6) == pytest.approx(expected, abs=1e-6)
    parts = sum(sum(bill.amounts(*part).values()) for part in ((0, cut), (cut, 1e6)))
    assert parts == pytest.approx(expected, abs=1e-6)


def test_a_pod_bills_from_create_to_end_and_not_while_stopped(tmp_path) -> None:
    with account(tmp_path, grace_s=1.0) as client:
        made = client.until(client.pod(), "RUNNING")

        def usd() -> float:
            return client.sim.meter()["total_usd"]

        client.ask("POST", "/simulator/clock", {"advance_s": 36_000}, status=200)
        assert usd() == pytest.approx(10 * (0.44 + DISK), rel=1e-3)
        client.ask("POST", f"/pods/{made['id']}/action", {"action": "stop"}, status=200)
        stopped = usd()
        client.ask("POST", "/simulator/clock", {"advance_s": 36_000}, status=200)
        assert usd() == stopped
        client.ask("POST", f"/pods/{made['id']}/action", {"action": "start"}, status=200)
        client.ask("POST", "/simulator/clock", {"advance_s": 3600}, status=200)
        assert usd() == pytest.approx(stopped + 0.44 + DISK, rel=1e-3)
        assert client.sim.meter()["running_usd_per_h"] == pytest.approx(0.44 + DISK)
        client.ask("DELETE", f"/pods/{made['id']}", status=204)
        ended = client.sim.meter()
        assert ended["running_usd_per_h"] == 0
        client.ask("POST", "/simulator/clock", {"advance_s": 36_000}, status=200)
        assert usd() == ended["total_usd"]
        assert ended["pods"][0]["name"] == POD["name"]


def test_simulated_time_goes_on_over_a_restart(tmp_path) -> None:
    body = {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}
    with account(tmp_path) as client:
        client.ask("POST", "/network-volumes", body, status=201)
        client.ask("POST", "/simulator/clock", {"advance_s": 1e6}, status=200)
        before = client.sim.meter()
    with account(tmp_path) as client:
        after = client.sim.meter()
    assert 0 <= seconds_of(after["now"]) - seconds_of(before["now"]) < 60
    assert after["total_usd"] >= before["total_usd"] > 0


def test_time_that_runs_fast_bills_fast(tmp_path) -> None:
    with account(tmp_path, speed=36_000) as client:
        made = client.until(client.pod(), "RUNNING")
        seen = client.sim.meter()
        hours = (seconds_of(seen["now"]) - seconds_of(made["createdAt"])) / 3600
        assert hours > 0.01
        assert seen["total_usd"] == pytest.approx(hours * (0.44 + DISK), rel=1e-3)


def test_a_volume_bills_until_it_is_deleted(runpod) -> None:
    body = {"name": "v", "size": 100, "dataCenter": "EU-RO-1"}
    made = runpod.ask("POST", "/network-volumes", body, status=201).json()
    runpod.ask("POST", "/simulator/clock", {"advance_s": 73 * 3600}, status=200)
    assert runpod.sim.meter()["total_usd"] == pytest.approx(0.7, rel=1e-4)
    billed = runpod.ask("GET", "/billing/network-volumes", status=200).json()
    assert billed["metadata"]["totals"]["totalAmount"] == pytest.approx(0.7, rel=1e-4)
    assert billed["metadata"]["uniqueNetworkVolumeCount"] == 1
    runpod.ask("DELETE", f"/network-volumes/{made['id']}", status=204)
    assert runpod.sim.meter()["volumes_usd_per_h"] == 0
    assert sum(volume_rates("STANDARD", 2000).values()) * 730 == pytest.approx(70 + 50)


def test_billing_by_hour_and_day(runpod) -> None:
    made = runpod.pod()
    other = runpod.pod(name="other")
    runpod.ask("POST", "/simulator/clock", {"advance_s": 5 * 3600}, status=200)
    hours = runpod.ask("GET", "/billing/pods", params={"bucketSize": "hour", "lastN": 3, "podId": made["id"]})
    records = hours.json()["records"]
    assert len(records) == 3
    assert {one["podId"] for one in records} == {made["id"]}
    assert records[0]["gpuAmount"] == pytest.approx(0.44)
    assert records[0]["endTime"] == records[1]["startTime"]
    runpod.ask("DELETE", f"/pods/{other['id']}", status=204)
    days = runpod.ask("GET", "/billing/pods", status=200).json()
    assert days["metadata"]["query"]["bucketSize"] == "day"
    assert days["metadata"]["uniquePodCount"] == 2, "what was ended stays on the bill"
    total = days["metadata"]["totals"]["totalAmount"]
    assert total == pytest.approx(runpod.sim.meter()["total_usd"], rel=1e-3)
    for query, status in (({"bucketSize": "minute"}, 422), ({"lastN": 0}, 422), ({"startTime": "x"}, 422),
                          ({"lastN": 2, "startTime": "2026-01-01T00:00:00Z"}, 400)):  # fmt: skip
        runpod.ask("GET", "/billing/pods", params=query, status=status)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(SIZES))
def test_buckets_meet(at: datetime, size: str) -> None:
    start = floor(at.replace(tzinfo=UTC), size)
    assert start <= at.replace(tzinfo=UTC) < following(start, size)
    assert floor(following(start, size), size) == following(start, size)


def test_amounts_of_all_buckets_are_the_whole() -> None:
    start = seconds_of("2026-01-30T13:30:00Z")
    bill = Bill(owner="x", name="x")
    bill.change(start, {"gpuAmount": 1.0, "cpuAmount": 0.0, "diskAmount": 0.5})
    bill.change(start + 100 * 3600, {})
    for size in SIZES:
        query = {"bucketSize": size, "startTime": "2026-01-01T00:00:00Z"}
        answer = pod_billing({"x": bill}, query, seconds_of("2026-03-01T00:00:00Z"))
        assert answer["metadata"]["totals"]["totalAmount"] == pytest.approx(150.0)
        assert answer["metadata"]["query"]["startTime"] <= rfc3339(start)


def test_without_balance_nothing_is_rented_and_pods_stop(tmp_path) -> None:
    with account(tmp_path, balance_usd=1.0) as client:
        volume = client.ask(
            "POST", "/network-volumes", {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}
        ).json()
        path = str(client.sim.allowed / "w")
        kept = client.pod(mounts={"network": [{"volumeId": volume["id"], "path": path}]})
        lost = client.pod()
        client.ask("POST", "/simulator/clock", {"advance_s": 3 * 3600}, status=200)
        client.until(kept, "EXITED")
        client.ask("GET", f"/pods/{lost['id']}", status=404)
        assert "balance" in client.ask("POST", "/pods", POD, status=402).json()["detail"]
