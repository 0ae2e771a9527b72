"""Leases: on the disk before anything is rented, and read back as they were."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from infra.errors import JournalError
from infra.journal import Journal, Lease

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def lease(**more) -> Lease:
    values = {
        "cloud": "runpod",
        "account": "https://api.test/v2",
        "kind": "pod",
        "name": "sonarstack-x-1",
        "stamp": "sonarstack-x",
        "run": "runs/x",
        "rented_at": AT,
        "lease_until": AT + timedelta(hours=2),
        "price_usd_per_h": 0.5,
    }
    return Lease(**{**values, **more})


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "leases")


def test_what_is_written_is_read_by_another_process_too(journal, tmp_path) -> None:
    kept = journal.write(lease(spec={"gpus": ["RTX 4090"]}))
    assert Journal(tmp_path / "leases").leases() == [kept]
    assert (tmp_path / "leases").stat().st_mode & 0o777 == 0o700


def test_a_lease_that_changes_stays_one(journal) -> None:
    kept = journal.change(journal.write(lease()), id="pod1", address="ssh://root@h:1")
    assert journal.leases() == [kept]
    assert journal.living(kept.account, kept.name) == kept


def test_the_newest_under_a_name_counts(journal) -> None:
    journal.write(lease(id="bad", ended_at=AT + timedelta(minutes=9)))
    second = journal.write(lease(rented_at=AT + timedelta(minutes=10), id="good"))
    assert journal.living(second.account, second.name) == second
    journal.change(second, ended_at=AT + timedelta(hours=1))
    assert journal.living(second.account, second.name) is None
    assert journal.newest(second.account, second.name).id == "good"


def test_dollars_count_over_all_machines_of_a_run(journal) -> None:
    journal.write(lease(id="a", ended_at=AT + timedelta(hours=1)))
    journal.write(lease(rented_at=AT + timedelta(hours=1), id="b"))
    journal.write(lease(rented_at=AT + timedelta(hours=1, seconds=1)))  # never rented, as far as we know
    journal.write(lease(rented_at=AT, name="other", run="runs/y", id="c"))
    now = AT + timedelta(hours=3)
    assert journal.spent_usd("https://api.test/v2", "sonarstack-x", "runs/x", now) == pytest.approx(1.5)


def test_the_providers_bill_beats_our_clock(journal) -> None:
    assert lease(id="a", billed_usd=0.2).usd(AT + timedelta(hours=9)) == 0.2


def test_what_its_cloud_ends_costs_nothing_after_its_lease_and_a_pod_does_until_somebody_ends_it() -> None:
    late = AT + timedelta(hours=48)
    assert lease(id="a", kind="group").usd(late) == pytest.approx(1.0)
    assert lease(id="a", kind="group").usd(AT + timedelta(hours=1)) == pytest.approx(0.5)
    assert lease(id="a", kind="pod").usd(late) == pytest.approx(24.0)


def test_another_account_is_not_ours(journal) -> None:
    journal.write(lease(id="a"))
    assert journal.living("http://127.0.0.1:9/v2", "sonarstack-x-1") is None
    assert journal.leases(account="http://127.0.0.1:9/v2") == []


def test_a_lease_under_which_nothing_was_rented_is_forgotten(journal) -> None:
    kept = journal.write(lease())
    journal.drop(kept)
    journal.drop(kept)
    assert journal.leases() == []


def test_a_write_that_is_cut_short_leaves_the_old_one(journal, monkeypatch) -> None:
    kept = journal.write(lease())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.change(kept, id="pod1")
    assert journal.leases() == [kept]


def test_what_others_learnt_meanwhile_is_kept(journal) -> None:
    kept = journal.write(lease(id="a"))
    journal.change(kept, exit_code=0)
    journal.change(kept, ended_at=AT + timedelta(hours=1))  # of the lease as it was before
    assert journal.newest(kept.account, kept.name).exit_code == 0


def test_many_threads_lose_nothing(journal) -> None:
    kept = journal.write(lease(id="a", spec={}))
    fields = ("end_reason", "address", "host_key", "id")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.change(kept, **{fields[n % 4]: f"{n}"}), range(80)))
    last = journal.newest(kept.account, kept.name)
    assert all(getattr(last, name).isdigit() for name in fields)
    assert not list(journal._folder.glob("*.part"))


def test_a_damaged_lease_is_one_line(journal) -> None:
    journal.write(lease())
    next(journal._folder.glob("*.json")).write_text("{")
    with pytest.raises(JournalError, match=r"is damaged .* lives, then remove the file"):
        journal.leases()


def test_a_run_that_is_closed_costs_the_next_of_its_name_nothing(journal) -> None:
    kept = journal.write(lease(id="a", ended_at=AT + timedelta(hours=1)))
    journal.close_run(kept.account, kept.stamp, kept.run)
    assert journal.spent_usd(kept.account, kept.stamp, kept.run, AT + timedelta(hours=2)) == 0
    assert journal.leases()[0].usd(AT) > 0, "it is still told of"
