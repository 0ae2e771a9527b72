"""What is ours, and what of it must end: never anything else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runpod.guard import plan_reaping
from infra.runpod.spec import LEASE_VARIABLE
from tests.infra.runpod.things import HOUR, NOW, SPEC, STAMP, lease, pod, volume, volume_lease


def judge(pods=(), volumes=(), leases=(), **more) -> list[tuple[str, str]]:
    return [(one.action, one.id or one.name) for one in plan_reaping(pods, volumes, leases, NOW, **more)]


def test_a_lease_that_ran_out_ends_its_pod_and_one_that_did_not_keeps_it() -> None:
    late = pod(until=NOW - timedelta(minutes=70))
    found = plan_reaping([late, pod(id_="p2")], [], [], NOW)
    assert [(one.action, one.id, one.reason) for one in found] == [
        ("end", "p1", "its lease ran out 1 h 10 min ago"),
        ("keep", "p2", "its lease ends in 1 h 00 min"),
    ]
    assert (found[0].gpu, found[0].usd_per_h, found[0].stamp) == ("RTX 4090", 0.44, STAMP)


@pytest.mark.parametrize(
    "foreign",
    [
        pod(spec=None, until=NOW - HOUR),  # a name of ours, and a lease of anybody's
        pod(name="other-pod", until=NOW - HOUR),  # our spec under a name that is not of its stamp
        pod(env={"SONARSTACK_MACHINE_SPEC": "{}", LEASE_VARIABLE: "1"}),  # no spec that can be read
        pod(env={}),
        pod(name=f"{STAMP}x-1", until=NOW - HOUR),  # another stamp that begins like ours
    ],
)
def test_what_is_not_proven_ours_is_not_even_named(foreign) -> None:
    assert judge([foreign]) == []


def test_an_id_of_the_journal_proves_it_whatever_the_pod_says() -> None:
    bare = pod(name="renamed-in-the-console", env={})
    assert judge([bare], leases=[lease(lease_until=NOW - HOUR)]) == [("end", "p1")]
    assert judge([bare], leases=[lease()]) == [("keep", "p1")]


def test_what_the_pod_was_told_counts_before_the_journal() -> None:
    assert judge([pod(until=NOW + HOUR)], leases=[lease(lease_until=NOW - HOUR)]) == [("keep", "p1")]


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e300", "-1e300"])
def test_a_lease_that_cannot_be_read_is_told_loudly_and_ended_only_by_the_journals(text) -> None:
    odd = pod(env={**pod().env, LEASE_VARIABLE: text})
    found = plan_reaping([odd], [], [], NOW)
    assert [one.action for one in found] == ["warn"]
    assert "nobody knows until when" in found[0].reason
    assert judge([odd], leases=[lease(lease_until=NOW - HOUR)]) == [("end", "p1")]


def test_a_pod_that_the_journal_thinks_ended_and_that_bills_is_told_loudly() -> None:
    ended = lease(ended_at=NOW - HOUR, end_reason="destroyed")
    found = plan_reaping([pod()], [], [ended], NOW)
    assert [one.action for one in found] == ["warn"]
    assert "says that it ended (destroyed), and it still bills" in found[0].reason
    assert judge([pod(until=NOW - HOUR)], leases=[ended]) == [("end", "p1")]


def test_a_reader_that_a_crash_left_is_ended_too() -> None:
    reader = pod(name=f"{STAMP}-reader", until=NOW - HOUR, gpu=None)
    assert [(one.action, one.kind) for one in plan_reaping([reader], [], [], NOW)] == [("end", "reader")]


def test_leases_whose_pod_is_gone_are_settled() -> None:
    leases = [lease(id="gone"), lease(id="over", ended_at=NOW - HOUR), lease(id="p1")]
    assert judge([pod()], leases=leases) == [("keep", "p1"), ("settle", "gone")]
    assert judge([pod(status="TERMINATED")], leases=[lease()]) == [("settle", "p1")]


def test_a_lease_without_id_is_given_ten_minutes() -> None:
    def unsure(minutes: float):
        return lease(id="", rented_at=NOW - timedelta(minutes=minutes))

    assert judge(leases=[unsure(9)]) == [("keep", SPEC.name)]
    assert judge(leases=[unsure(11)]) == [("drop", SPEC.name)]
    # Its pod is there: the answer was lost, not the pod.
    assert judge([pod()], leases=[unsure(11)]) == [("keep", "p1")]
    # A stranger's pod of that name is not it.
    assert judge([pod(env={})], leases=[unsure(11)]) == [("drop", SPEC.name)]


def test_volumes_are_listed_with_what_they_cost_and_not_removed() -> None:
    (one,) = plan_reaping([], [volume()], [volume_lease()], NOW, stamp=STAMP)
    assert (one.action, one.reason) == ("keep", "20 GB in EU-RO-1, about $1.40 a month")
    assert judge(volumes=[volume(id_="v2", name="mine")]) == []


def test_a_volume_is_removed_only_when_asked_for_by_its_stack_and_empty_of_pods() -> None:
    ours, known = [volume()], [volume_lease()]
    assert judge(volumes=ours, leases=known, remove_volumes=True) == [("keep", "v1")]
    assert judge(volumes=ours, leases=known, remove_volumes=True, stamp="sonarstack-other-123456") == []
    assert judge(volumes=ours, leases=known, remove_volumes=True, stamp=STAMP) == [("remove", "v1")]
    stranger = pod(id_="theirs", name="x", env={}, volume="v1")
    (one,) = plan_reaping([stranger], ours, known, NOW, remove_volumes=True, stamp=STAMP)
    assert (one.action, one.reason.split("; ")[1]) == ("keep", "not removed, x is on it")
    on_its_way = lease(id="", rented_at=NOW)
    found = judge(volumes=ours, leases=[*known, on_its_way], remove_volumes=True, stamp=STAMP)
    assert ("remove", "v1") not in found


def test_a_volume_that_only_its_name_claims_is_told_and_left() -> None:
    asked = {"volumes": [volume()], "stamp": STAMP, "remove_volumes": True}
    assert judge(**asked) == [("warn", "v1")]
    assert judge(**asked, leases=[lease(id="", rented_at=NOW - HOUR)]) == [
        ("warn", "v1"),
        ("drop", SPEC.name),
    ]


def test_a_volume_of_a_pod_of_ours_is_ours_without_a_lease_of_its_own() -> None:
    spec = replace(SPEC, volume_id="v1")
    assert judge([pod(spec=spec, name=spec.name, volume="v1")], [volume(name="v")]) == [
        ("keep", "p1"),
        ("keep", "v1"),
    ]
    assert judge(volumes=[volume()], leases=[lease(ended_at=NOW, spec=spec.as_dict())]) == [("keep", "v1")]


def test_only_what_the_stack_owns_where_one_is_named() -> None:
    other = replace(SPEC, stamp="sonarstack-other-123456")
    pods = [pod(until=NOW - HOUR), pod(id_="p2", name=other.name, spec=other, until=NOW - HOUR)]
    assert judge(pods, stamp=STAMP) == [("end", "p1")]
    assert len(judge(pods)) == 2


@given(
    told=st.booleans(),
    minutes=st.one_of(st.none(), st.integers(-600, 600)),
    known=st.booleans(),
    status=st.sampled_from(["PROVISIONING", "STARTING", "RUNNING", "EXITED", "ERROR"]),
)
def test_nothing_is_ended_that_is_not_ours_or_still_has_its_lease(told, minutes, known, status) -> None:
    until = None if minutes is None else NOW + timedelta(minutes=minutes)
    one = pod(spec=SPEC if told else None, until=until, status=status)
    found = judge([one], leases=[lease(lease_until=NOW - HOUR)] if known else [])
    over = minutes <= 0 if minutes is not None else known
    assert (("end", "p1") in found) == ((told or known) and over)


def test_a_volume_whose_answer_never_came_is_ours_by_the_lease_that_was_written_before() -> None:
    unanswered = volume_lease(id="", rented_at=NOW - HOUR)
    assert judge(volumes=[volume()], leases=[unanswered]) == [("keep", "v1")]
    assert judge(volumes=[volume(name="another")], leases=[unanswered]) == [("drop", unanswered.name)]
    assert judge(volumes=[volume()], leases=[replace(unanswered, ended_at=NOW)], stamp=STAMP) == [
        ("warn", "v1")
    ]
