"""Lease, Upload and TrainingRun of a group whose run lies in a bucket: moto's AWS, a run as the program writes it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from app.mirror import Mirror
from app.training.manifest import write_manifest
from infra.aws.account import client
from infra.aws.errors import AccountError
from infra.aws.job import GroupJob
from infra.aws.s3_store import S3Store
from infra.errors import RunHomeError
from infra.jobs.job import JobStatus
from infra.journal import Journal
from infra.provider.discard import DISCARD
from infra.provider.table import Call, InitFailedError
from infra.provider.tables.lease import LeaseTable
from infra.provider.tables.run_rescue import RunRescueTable
from infra.provider.tables.training_run import TrainingRunTable
from infra.provider.tables.upload import UploadTable
from tests.infra.aws_server import BUCKET, REGION, aws, moto_address

__all__ = ["aws", "moto_address"]
CALL = Call(cancelled=Event(), variables={})
PLACE = {"bucket": f"s3://{BUCKET}", "region": REGION, "owner": "stamp"}
DAY = timedelta(days=1)
NOTES = "runs/night/host/group"


@pytest.fixture
def store(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    client("s3", REGION).create_bucket(Bucket=BUCKET)
    return S3Store(BUCKET, region=REGION)


def inputs(tmp_path: Path) -> dict[str, Any]:
    return {
        "where": {
            **PLACE,
            "kind": "group",
            "group": "group",
            "notes": NOTES,
            "logGroup": "/l",
            "logStream": "s",
        },
        "runHost": PLACE,
        "runPath": "runs/night/run",
        "home": str(tmp_path / "home"),
        "stopGraceS": 0.1,
    }


def write_run(tmp_path: Path, store: S3Store, *, complete: bool = True) -> Path:
    """As the program leaves one and mirrors it; moto's bucket stands in for s3fs' far side."""
    run = tmp_path / "made"
    (run / "model").mkdir(parents=True)
    (run / "run.json").write_text('{"config": {"epochs": 2}}')
    (run / "metrics.jsonl").write_text(
        '{"kind": "step", "step": 7, "epoch": 1, "total_steps": 9, "usd": 0.25}\n'
    )
    (run / "model" / "best.pt").write_bytes(b"weights" * 1000)
    write_manifest(run, complete=complete)
    Mirror(run, str(tmp_path / "far")).push()
    for path in (tmp_path / "far").rglob("*"):
        if path.is_file():
            store.send(f"runs/night/run/{path.relative_to(tmp_path / 'far').as_posix()}", path)
    return run


def ended(store: S3Store, code: int = 0) -> None:
    store.put(f"{NOTES}/outcome.json", json.dumps({"code": code, "reason": "", "machine": "i"}).encode())


def test_a_run_in_the_bucket_is_seen_and_comes_home_whole(store: S3Store, tmp_path: Path) -> None:
    table, given = TrainingRunTable(), inputs(tmp_path)
    run = write_run(tmp_path, store)
    ended(store)
    made = table.create(CALL, given)
    assert (made.outputs["state"], made.outputs["outcome"], made.outputs["step"]) == ("ended", "done", 7)
    assert table.read(CALL, made.id, given, made.outputs) == made.outputs
    table.delete(CALL, made.id, given, made.outputs)
    home = tmp_path / "home"
    assert (home / "model" / "best.pt").read_bytes() == (run / "model" / "best.pt").read_bytes()
    assert not (tmp_path / "home.fetched").exists()
    assert store.get("runs/night/run/run.json") is not None  # what is at home stays in the bucket too


def test_a_damaged_file_there_stops_the_destroy_and_discard_goes_on(store: S3Store, tmp_path: Path) -> None:
    table, given = TrainingRunTable(), inputs(tmp_path)
    write_run(tmp_path, store)
    ended(store)
    made = table.create(CALL, given)
    store.put("runs/night/run/model/best.pt", b"weightz" * 1000)
    with pytest.raises(RunHomeError, match=r"model/best\.pt first.*nothing was destroyed"):
        table.delete(CALL, made.id, given, made.outputs)
    table.delete(Call(cancelled=Event(), variables={DISCARD: "1"}), made.id, given, made.outputs)


def test_a_job_that_never_began_lets_the_destroy_go_on(store: S3Store, tmp_path: Path) -> None:
    table, given = TrainingRunTable(), inputs(tmp_path)
    ended(store, 80)
    made = table.create(CALL, given)
    table.delete(CALL, made.id, given, made.outputs)
    assert not (tmp_path / "home" / "run.json").exists()


def test_a_failed_job_fails_the_up_with_its_reason(store: S3Store, tmp_path: Path) -> None:
    store.put(f"{NOTES}/outcome.json", json.dumps({"code": 125, "reason": "x cannot be pulled"}).encode())
    with pytest.raises(InitFailedError, match="x cannot be pulled"):
        TrainingRunTable().create(CALL, inputs(tmp_path))


@pytest.mark.parametrize("good_looks", [0, 3])
def test_a_look_that_fails_after_the_start_keeps_the_run_which_comes_home(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good_looks: int
) -> None:
    given = {**inputs(tmp_path), "wait": True}
    looks = iter([JobStatus(state="running")] * good_looks)

    def status(_: GroupJob) -> JobStatus:
        seen = next(looks, None)
        if seen is None:
            raise AccountError("your AWS credentials have expired")
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(GroupJob, "status", status)
        with pytest.raises(InitFailedError, match="your AWS credentials have expired") as failed:
            TrainingRunTable().create(CALL, given)
    made = failed.value.made
    run = write_run(tmp_path, store)
    ended(store)
    TrainingRunTable().delete(CALL, made.id, given, made.outputs)
    assert (tmp_path / "home/model/best.pt").read_bytes() == (run / "model/best.pt").read_bytes()


def test_a_run_whose_job_the_state_never_knew_comes_home_before_its_bucket_goes(
    store: S3Store, tmp_path: Path
) -> None:
    """As after an `up` that was killed while it waited: there is no TrainingRun that would bring it home."""
    table, given = RunRescueTable(), inputs(tmp_path)
    made = table.create(CALL, given)
    run = write_run(tmp_path, store, complete=False)
    table.delete(CALL, made.id, given, made.outputs)
    home = tmp_path / "home"
    assert (home / "model" / "best.pt").read_bytes() == (run / "model" / "best.pt").read_bytes()
    assert json.loads((home / "manifest.json").read_text())["complete"] is False
    assert not (tmp_path / "home.fetched").exists()


def test_a_run_that_is_home_is_not_fetched_twice_and_none_is_none(
    store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, given = RunRescueTable(), inputs(tmp_path)
    table.delete(CALL, "runs/night/run", given, {})
    assert not (tmp_path / "home").exists()
    write_run(tmp_path, store)
    ended(store)
    run = TrainingRunTable()
    made = run.create(CALL, given)
    run.delete(CALL, made.id, given, made.outputs)

    def fetch(_: S3Store, name: str, __: Path) -> bool:
        raise AssertionError(f"{name} was fetched again")

    with monkeypatch.context() as patched:
        patched.setattr(S3Store, "fetch", fetch)
        table.delete(CALL, "runs/night/run", given, {})
    # What lies here is not what lies there: that is the one thing it is for.
    (tmp_path / "home" / "model" / "best.pt").unlink()
    table.delete(CALL, "runs/night/run", given, {})
    assert (tmp_path / "home" / "model" / "best.pt").is_file()


def test_a_run_that_cannot_be_rescued_stops_the_destroy_and_discard_goes_on(
    store: S3Store, tmp_path: Path
) -> None:
    table, given = RunRescueTable(), inputs(tmp_path)
    write_run(tmp_path, store)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "run.json").write_text("another run's")
    with pytest.raises(RunHomeError, match=r"holds another run; move it away.*nothing was destroyed"):
        table.delete(CALL, "runs/night/run", given, {})
    table.delete(Call(cancelled=Event(), variables={DISCARD: "1"}), "runs/night/run", given, {})
    assert (tmp_path / "home" / "run.json").read_text() == "another run's"


def test_data_goes_to_the_bucket_and_is_known_by_its_content(store: S3Store, tmp_path: Path) -> None:
    source = tmp_path / "tiles"
    source.mkdir()
    (source / "a.png").write_bytes(b"a")
    table = UploadTable()
    given = {"host": PLACE, "source": str(source), "target": "data/night/0"}
    made = table.create(CALL, given)
    assert made.id == f"s3://{BUCKET}/data/night/0"
    assert table.read(CALL, made.id, given, made.outputs) == made.outputs
    assert table.moved(CALL, made.id, given, made.outputs) == []
    (source / "b.png").write_bytes(b"b")
    assert table.moved(CALL, made.id, given, made.outputs) == ["sha256"]
    assert table.update(CALL, made.id, given, made.outputs)["files"] == 2
    table.delete(CALL, made.id, given, made.outputs)
    assert list(store.keys("data/")) == []
    assert table.read(CALL, made.id, given, made.outputs) is None


def lease_inputs(**changed: Any) -> dict[str, Any]:
    return {
        "cloud": "aws", "account": "aws:1:r", "name": "group", "stamp": "stamp", "run": "run", "maxHours": 2.0,
        "priceUsdPerH": 0.6, **changed,
    }  # fmt: skip


def test_a_lease_is_fixed_once_and_a_rerun_takes_it_up(store: S3Store) -> None:
    table = LeaseTable()
    made = table.create(CALL, lease_inputs())
    until = datetime.fromisoformat(made.outputs["leaseUntil"])
    assert timedelta(hours=1.99) < until - datetime.now(UTC) < timedelta(hours=2)
    again = table.create(CALL, lease_inputs(maxHours=5.0))
    assert again.outputs == made.outputs
    assert table.update(CALL, made.id, lease_inputs(maxHours=5.0), made.outputs) == made.outputs
    lease = Journal().living("aws:1:r", "group")
    assert lease is not None
    assert (lease.kind, lease.price_usd_per_h, lease.lease_until) == ("group", 0.6, until)
    table.delete(CALL, made.id, lease_inputs(), made.outputs)
    assert Journal().living("aws:1:r", "group") is None
    table.delete(CALL, made.id, lease_inputs(), made.outputs)


def test_a_lease_that_ran_out_is_not_taken_up_and_counts_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    table, journal = LeaseTable(), Journal()
    table.create(CALL, lease_inputs())
    (first,) = journal.leases()
    journal.drop(first)
    old = journal.write(
        replace(first, rented_at=first.rented_at - 2 * DAY, lease_until=first.rented_at - DAY)
    )
    made = table.create(CALL, lease_inputs())
    assert datetime.fromisoformat(made.outputs["leaseUntil"]) > datetime.now(UTC)
    told, new = journal.leases()
    assert told.ended_at == old.lease_until
    journal.drop(new)
    journal.change(told, ended_at=None)
    table.delete(CALL, made.id, lease_inputs(), made.outputs)
    (told,) = journal.leases()
    assert told.ended_at == old.lease_until


@pytest.mark.parametrize(
    ("changed", "said"), [({"maxHours": 0}, "allowed are more than 0"), ({"maxHours": 721}, "up to 720")]
)
def test_a_lease_has_an_end(changed: dict[str, Any], said: str) -> None:
    assert said in LeaseTable().check(lease_inputs(**changed))["maxHours"]
    assert LeaseTable().check(lease_inputs()) == {}
