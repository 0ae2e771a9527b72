"""Renting in its order: look for our own name, write the lease, ask, write down what came."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from infra.hosts.keys import ensure_key
from infra.journal import Journal
from infra.runpod.errors import (
    BalanceError,
    CancelledError,
    NoCapacityError,
    PoolRefusedError,
    RateLimitError,
    RefusedError,
    RunpodError,
    ServiceError,
)
from infra.runpod.owner import KEYS_VARIABLE
from infra.runpod.rent import LOOKS, Renter
from infra.runpod.wire import GpuType
from tests.infra.runpod import things
from tests.infra.runpod.things import ACCOUNT, HOUR, NOW, SPEC, STAMP, lease

TWO = replace(SPEC, gpus=("RTX 4090", "RTX 3090"))


def pod(**more):
    """Rented from this machine."""
    return things.pod(**{"key": ensure_key(STAMP), **more})


class Client:
    """An account in memory that notes what it is asked; `answers` are those to creates, errors among them."""

    address = ACCOUNT
    simulated = False

    def __init__(self, journal: Journal, *pods, answers=()) -> None:
        self.journal, self.pods, self.answers = journal, list(pods), list(answers)
        self.seen: list[str] = []
        self.unlisted: set[str] = set()
        self.leases_at_create: list = []

    def gpus(self, **_: object) -> list[GpuType]:
        self.seen.append("gpus")
        return [
            GpuType(
                id=f"NVIDIA GeForce {name}", name=name, memory_gb=24, secure=True, community=True,
                secure_usd_per_h=usd, community_usd_per_h=usd, max_count_secure=8, max_count_community=8,
                stock="HIGH", data_centers={"EU-RO-1": "HIGH"},
            )
            for name, usd in (("RTX 3090", 0.3), ("RTX 4090", 0.44))
        ]  # fmt: skip

    def pods_named(self, name: str) -> list:
        self.seen.append("list")
        return [one for one in self.pods if one.name == name and one.id not in self.unlisted]

    def pod(self, pod_id: str) -> object:
        return next((one for one in self.pods if one.id == pod_id), None)

    def create_pod(self, request) -> object:
        self.seen.append("create")
        self.leases_at_create.append(self.journal.living(ACCOUNT, request["name"]))
        answer = self.answers.pop(0) if self.answers else pod(id_="new", name=request["name"])
        if isinstance(answer, Exception):
            raise answer
        self.pods.append(answer)
        return answer

    def delete_pod(self, pod_id: str) -> None:
        self.seen.append(f"end {pod_id}")
        self.pods = [one for one in self.pods if one.id != pod_id]

    def pod_bills(self, pod_id: str) -> list:
        return []


@pytest.fixture
def renter(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def make(*pods, answers=(), leases=()) -> Renter:
        journal = Journal(tmp_path / "leases")
        for one in leases:
            journal.write(one)
        slept: list[float] = []
        made = Renter(
            Client(journal, *pods, answers=answers),  # type: ignore[arg-type]
            journal,
            sleep=slept.append,
            now=lambda: NOW,
        )
        made.slept = slept  # type: ignore[attr-defined]
        return made

    return make


def test_the_lease_is_written_before_it_is_asked_for(renter) -> None:
    it = renter()
    rented = it.adopt_or_rent(SPEC)
    (before,) = it.client.leases_at_create
    assert before is not None
    assert (before.id, before.price_usd_per_h) == ("", SPEC.max_usd_per_h), (
        "its ceiling, until the price is known"
    )
    assert before.lease_until == NOW + timedelta(hours=SPEC.max_hours)
    assert it.client.seen == ["list", "gpus", "create"]
    assert (rented.lease.id, rented.lease.price_usd_per_h) == ("new", 0.44)
    assert it.journal.leases() == [rented.lease]


def test_what_lives_under_the_name_is_taken_up_and_all_else_under_it_ended(renter) -> None:
    second = replace(pod(id_="late"), created_at=NOW)
    it = renter(
        pod(id_="stopped", status="EXITED"),
        pod(id_="broken", status="ERROR"),
        second,
        pod(),
        leases=[lease()],
    )
    rented = it.adopt_or_rent(SPEC)
    assert (rented.pod.id, rented.adopted) == ("p1", True)
    assert [one.id for one in it.client.pods] == ["p1"]
    assert "create" not in it.client.seen


def test_of_two_the_one_that_its_lease_speaks_of_is_kept_though_it_is_the_younger(renter) -> None:
    """Its job is there; the older one came of a request whose answer was lost, and is idle."""
    idle, works = pod(id_="idle"), replace(pod(id_="works"), created_at=NOW)
    it = renter(idle, works, leases=[lease(id="works")])
    assert it.pod_named(SPEC.name).id == "works"
    assert it.adopt(SPEC).pod.id == "works"
    assert it.client.pods == [works]
    assert it.journal.living(ACCOUNT, SPEC.name).id == "works"


def test_beside_the_pod_of_a_lease_what_a_lost_answer_left_is_ended(renter) -> None:
    theirs = things.pod(id_="theirs")
    it = renter(pod(id_="idle"), pod(), theirs, leases=[lease()])
    it.end_others(lease())
    assert [one.id for one in it.client.pods] == ["p1", "theirs"]
    assert it.journal.living(ACCOUNT, SPEC.name).id == "p1"


def test_a_pod_of_the_name_that_is_not_ours_is_left(renter) -> None:
    no_spec = {KEYS_VARIABLE: ensure_key(STAMP)}
    it = renter(pod(env=no_spec))
    assert it.adopt(SPEC) is not None, "the name, the shape it comes from and the key are ours"
    with pytest.raises(RefusedError, match="was not rented by this project"):
        it.lease_of(pod(env=no_spec), None)


@pytest.mark.parametrize("status", ["RUNNING", "EXITED"])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("env", [None, {}])
def test_what_another_machine_rented_is_neither_taken_up_nor_ended(renter, status, known, env) -> None:
    theirs = things.pod(status=status, env=env)
    it = renter(theirs, leases=[lease()] if known else [])
    for act in (it.adopt_or_rent, it.adopt):
        with pytest.raises(RefusedError, match=r"p1 .*was rented from another machine.*nothing was ended"):
            act(SPEC)
    with pytest.raises(RefusedError, match=r"bring its ~/\.local/state/sonarstack here"):
        it.give_back(SPEC.name, "enough")
    if not known:
        with pytest.raises(RefusedError, match="work from that machine"):
            it.lease_of(theirs, lease(id=""))
    assert it.client.pods == [theirs]
    assert not {"create", "end p1"} & set(it.client.seen)
    assert all(one.ended_at is None for one in it.journal.leases())
    it.give_back(SPEC.name, "its run was given up", foreign=True)
    assert it.client.pods == []


def test_beside_what_another_machine_rented_only_ours_is_given_back(renter) -> None:
    theirs = things.pod(id_="theirs")
    it = renter(theirs, pod(), leases=[lease()])
    it.give_back(SPEC.name, "enough")
    assert it.client.pods == [theirs]
    assert it.journal.leases()[0].end_reason == "enough"


def test_a_key_that_was_brought_here_opens_what_another_machine_rented(renter) -> None:
    it = renter(pod())
    assert it.adopt(SPEC).lease.id == "p1"


@pytest.mark.parametrize(
    "refusal", [NoCapacityError("none"), PoolRefusedError("not you"), RefusedError("other")]
)
def test_the_next_offer_is_taken_after_a_refusal(renter, refusal) -> None:
    it = renter(answers=[refusal])
    assert it.rent(TWO).pod.id == "new"
    assert it.client.seen.count("create") == 2
    assert [one.id for one in it.journal.leases()] == ["new"]


def test_what_earlier_machines_of_the_run_have_spent_shortens_the_lease(renter) -> None:
    spec = replace(SPEC, machines_usd=6.0, disk_gib=73)  # 81 cents an hour with its disk
    before = lease(id="p0", rented_at=NOW - 9 * HOUR, ended_at=NOW - HOUR, billed_usd=3.57)
    others = [
        replace(before, name="x", run="another"), replace(before, name="y", stamp="another"),
        replace(before, name="z", kind="volume"),
    ]  # fmt: skip
    it = renter(leases=[before, *others])
    rented = it.adopt_or_rent(spec).lease
    assert rented.lease_until is not None
    assert (rented.lease_until - NOW) / HOUR == pytest.approx(2.43 / 0.81)
    assert rented.spec["max_hours"] == SPEC.max_hours, "what was asked for is told as it was"


def test_a_run_that_has_spent_its_dollars_rents_nothing(renter) -> None:
    before = lease(id="p0", rented_at=NOW - 9 * HOUR, ended_at=NOW - HOUR, billed_usd=5.9)
    it = renter(leases=[before])
    with pytest.raises(
        RefusedError, match=r"cost \$5.90 of the \$6.00 .*15 minutes.*nothing was rented: raise maxUsd"
    ):
        it.adopt_or_rent(replace(SPEC, machines_usd=6.0))
    assert it.client.seen == ["list"]
    assert [one.id for one in it.journal.leases()] == ["p0"]


@pytest.mark.parametrize("error", [BalanceError("top up"), RateLimitError("slow down")])
def test_what_refuses_all_leaves_no_lease(renter, error) -> None:
    it = renter(answers=[error])
    with pytest.raises(type(error)):
        it.rent(SPEC)
    assert it.client.seen.count("create") == 1
    assert it.journal.leases() == []


@pytest.mark.parametrize("error", [ServiceError("no answer"), CancelledError("enough")])
def test_what_nobody_knows_keeps_its_lease_and_is_taken_up_later(renter, error) -> None:
    it = renter(answers=[error])
    with pytest.raises(type(error)):
        it.rent(SPEC)
    (kept,) = it.journal.leases()
    assert (kept.id, kept.ended_at) == ("", None)
    it.client.pods.append(pod(id_="came", usd=0.5))
    taken = it.adopt_or_rent(SPEC)
    assert (taken.lease.id, taken.lease.price_usd_per_h) == ("came", 0.5)
    assert it.client.seen.count("create") == 1


def test_a_young_lease_without_a_pod_is_looked_for_patiently(renter) -> None:
    it = renter(leases=[lease(id="", rented_at=NOW)])
    assert it.adopt(SPEC) is None
    assert it.client.seen.count("list") == LOOKS
    assert len(it.slept) == LOOKS - 1
    assert it.journal.leases() == [], "it never came to be"


def test_all_offers_refused_in_the_same_words_is_the_requests_fault(renter) -> None:
    with pytest.raises(RefusedError, match="disk is too large"):
        renter(answers=[RefusedError("disk is too large")] * 2).rent(TWO)
    with pytest.raises(NoCapacityError, match="none of the 2 offers"):
        renter(answers=[NoCapacityError("none"), RefusedError("x")]).rent(TWO)


def test_one_that_is_dearer_than_it_said_is_ended_at_once(renter) -> None:
    it = renter(answers=[pod(id_="dear", usd=3.0), pod(id_="dear too", usd=3.0)])
    ticks = itertools.count()
    it.now = lambda: NOW + timedelta(seconds=next(ticks))
    with pytest.raises(RunpodError):
        it.rent(TWO)
    assert it.client.pods == []
    ended = it.journal.leases()
    assert [one.id for one in ended] == ["dear", "dear too"]
    assert all(one.ended_at is not None for one in ended)


def test_give_back_ends_every_pod_of_the_name(renter) -> None:
    it = renter(pod(), pod(id_="p2"), pod(id_="other", name="other"), leases=[lease()])
    it.give_back(SPEC.name, "enough")
    assert [one.id for one in it.client.pods] == ["other"]
    (ended,) = it.journal.leases()
    assert (ended.ended_at, ended.end_reason) == (NOW, "enough")
    it.give_back(SPEC.name, "again")  # fine if none is there


def test_what_the_list_does_not_show_yet_is_taken_up_by_its_id(renter) -> None:
    """Else its lease would be settled, another rented, and it would bill to its end."""
    it = renter(pod(), leases=[lease()])
    it.client.unlisted = {"p1"}
    rented = it.adopt(SPEC)
    assert rented is not None
    assert (rented.pod.id, it.journal.leases()[0].ended_at) == ("p1", None)
    assert it.pod_named(SPEC.name).id == "p1"


def test_give_back_ends_what_its_lease_speaks_of_though_the_list_lags_behind(renter) -> None:
    it = renter(pod(id_="p2"), leases=[lease()])
    it.give_back(SPEC.name, "went to ERROR")
    assert it.client.seen == ["list", "end p2", "end p1"]
    assert it.journal.leases()[0].ended_at == NOW


def test_what_could_not_be_ended_is_not_written_down_as_ended(renter, monkeypatch) -> None:
    it = renter(leases=[lease()])

    def refuses(_: str) -> None:
        raise ServiceError("no answer")

    monkeypatch.setattr(it.client, "delete_pod", refuses)
    with pytest.raises(ServiceError):
        it.give_back(SPEC.name, "went to ERROR")
    assert it.journal.leases()[0].ended_at is None


def test_give_back_of_what_was_never_seen_counts_what_it_cost(renter) -> None:
    it = renter(pod(usd=0.6), leases=[lease(id="", rented_at=NOW)])
    it.give_back(SPEC.name, "enough")
    (ended,) = it.journal.leases()
    assert (ended.id, ended.price_usd_per_h, ended.ended_at) == ("p1", 0.6, NOW)


def test_one_that_ended_while_nobody_looked_cost_no_more_than_its_lease(renter) -> None:
    it = renter(leases=[lease(lease_until=NOW - 0.5 * HOUR)])
    assert it.adopt(SPEC) is None
    (settled,) = it.journal.leases()
    assert settled.ended_at == NOW - 0.5 * HOUR
