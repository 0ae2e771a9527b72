"""The log of a training: what happens is in it, in the run and in the cloud alike, and nothing secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.config.settings import Settings, load_settings
from app.errors import RunError, SettingsError
from app.exit_codes import ExitCode
from app.seal import memory
from app.telemetry.logs.azure import row
from app.telemetry.logs.record import LogRecord
from app.telemetry.progress import Progress, Silent
from app.training import run as run_module
from app.training import run_log
from app.training.manifest import verify_manifest
from app.training.request import TrainRequest
from app.training.run import run_training
from app.training.run_folder import RunFolder
from app.training.run_log import RunLog
from app.training.sealed import run_sealed
from tests.app.aws import aws
from tests.app.azure import Services
from tests.app.seal.made_sealed import new_key, seal_folder
from tests.app.telemetry.hook import TOKEN
from tests.app.telemetry.logs.test_shipper import Cloud
from tests.app.training.made_run import Notes, tiny_config, write_squares

__all__ = ["aws"]

EPOCHS = 2


def settings_of(tmp_path: Path, **variables: str) -> Settings:
    write_squares(tmp_path / "data")
    told = {f"SONARSTACK_{name}": value for name, value in variables.items()}
    return load_settings(variables=told, overrides={"data": str(tmp_path / "data")}).settings


def trained(settings: Settings, tmp_path: Path, progress: Progress | None = None) -> list[dict[str, Any]]:
    """The records of a short training."""
    request = TrainRequest(run=tmp_path / "run", threads=1)
    result = run_training(settings, request, config=tiny_config(epochs=EPOCHS), progress=progress or Silent())
    assert result.code is ExitCode.DONE
    return [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]


def test_all_that_happens_is_in_the_run(tmp_path: Path) -> None:
    # Nobody listens there: the message is only tried.
    address = f"json://127.0.0.1:9/{TOKEN}"
    records = trained(settings_of(tmp_path, NOTIFY_URL=address), tmp_path)
    kinds = [record["kind"] for record in records]
    assert {kind: kinds.count(kind) for kind in ("start", "step", "epoch", "checkpoint", "end")} == {
        "start": 1,
        "step": EPOCHS,
        "epoch": EPOCHS,
        "checkpoint": 1,
        "end": 1,
    }
    start = next(record for record in records if record["kind"] == "start")
    assert start["figures"]["batch_size"] == 4
    step = next(record for record in records if record["kind"] == "step")
    assert step["message"].startswith("step ")
    assert step["figures"]["loss"] > 0
    assert {record["run"] for record in records} == {f"{tmp_path.name}/run"}
    # What people see as a note of an epoch is its record, and not told twice.
    assert not any(r["kind"] == "note" and r["message"].startswith("epoch ") for r in records)
    assert any(r["kind"] == "note" and "exported best.onnx" in r["message"] for r in records)
    assert TOKEN not in json.dumps(records)
    assert verify_manifest(tmp_path / "run") == []


def test_the_cloud_gets_the_same_records(aws: str, tmp_path: Path) -> None:
    import boto3

    client = boto3.client("logs")
    client.create_log_group(logGroupName="/sonarstack/st")
    settings = settings_of(tmp_path, LOG_PROVIDER="aws", LOG_GROUP="/sonarstack/st")
    records = trained(settings, tmp_path)
    (stream,) = client.describe_log_streams(logGroupName="/sonarstack/st")["logStreams"]
    assert stream["logStreamName"].startswith(f"{tmp_path.name}/run/")
    page = client.get_log_events(
        logGroupName="/sonarstack/st", logStreamName=stream["logStreamName"], startFromHead=True
    )
    told = [json.loads(event["message"]) for event in page["events"]]
    # What is said once the manifest is written stands in the cloud alone.
    assert told[: len(records)] == records
    assert not (tmp_path / ".run.log-queue").exists()


def test_azures_log_holds_what_the_runs_own_holds(services: Services, tmp_path: Path) -> None:
    pytest.importorskip("azure.monitor.ingestion", reason="needs azure-monitor-ingestion")
    settings = settings_of(tmp_path, LOG_PROVIDER="azure", LOG_GROUP=services.there.group)
    records = trained(settings, tmp_path)
    told = [row(LogRecord.from_line(json.dumps(record).encode())) for record in records]
    assert services.there.rows[: len(records)] == told
    assert not (tmp_path / ".run.log-queue").exists()


def test_a_cloud_that_is_not_there_costs_a_training_nothing_but_a_note(
    aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("app.telemetry.cloud_logger.CLOSE_WITHIN_S", 2.0)
    settings = settings_of(tmp_path, LOG_PROVIDER="aws", LOG_GROUP="/sonarstack/st")
    people = Notes()
    trained(settings, tmp_path, people)
    # A training this short may be over before the cloud was first tried: then the note is its last word.
    (note,) = (text for text in people.notes if "is not reached" in text)
    assert "EndpointConnectionError" in note
    assert (tmp_path / ".run.log-queue").is_dir()

    import boto3

    # The same command once more: the run is complete, and what waited goes.
    boto3.client("logs", endpoint_url=aws).create_log_group(logGroupName="/sonarstack/st")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setattr("app.telemetry.cloud_logger.CLOSE_WITHIN_S", 20.0)
    again = run_training(settings, TrainRequest(run=tmp_path / "run"), progress=Silent())
    assert again.epochs == 0
    assert verify_manifest(tmp_path / "run") == []
    assert not (tmp_path / ".run.log-queue").exists()


def test_how_it_failed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path, NOTIFY_URL=f"json://127.0.0.1:9/{TOKEN}")

    def fails(job: object, progress: object) -> None:
        raise RunError(f"the loss is gone, says {TOKEN}")

    monkeypatch.setattr(run_module, "train", fails)
    with pytest.raises(RunError):
        run_training(settings, TrainRequest(run=tmp_path / "run"), config=tiny_config(), progress=Silent())
    records = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    (record,) = [record for record in records if record["kind"] == "failed"]
    assert record["level"] == "ERROR"
    assert record["message"] == "RunError: the loss is gone, says (hidden)"


def test_a_wrong_log_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, LOG_PROVIDER="aws")
    with pytest.raises(SettingsError, match="set SONARSTACK_LOG_GROUP"):
        run_training(settings, TrainRequest(run=tmp_path / "run"), config=tiny_config(), progress=Silent())


def test_a_record_waits_for_no_checkpoint(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.write_record({"version": 1})
    log = RunLog(load_settings(variables={}).settings, run, Silent())

    def write(stream: Any) -> None:
        log.note("said while the folder is written")  # would hang if it waited for its turn
        stream.write(b"weights")

    run.save_checkpoint(1, write, keep=1)
    run.write_manifest(complete=False)
    messages = [
        json.loads(line)["message"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    ]
    assert messages == ["said while the folder is written", "checkpoint of step 1"]
    assert verify_manifest(tmp_path / "run") == []


def test_of_a_sealed_run_no_cloud_learns_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()
    monkeypatch.setattr(run_log, "open_sender", lambda *args, **named: cloud)
    monkeypatch.setattr(memory, "memory_mounts", lambda: (tmp_path / "memory",))
    (tmp_path / "memory").mkdir()
    key = new_key()
    seal_folder(write_squares(tmp_path / "tiles"), tmp_path / "data", key)

    def fails(job: Any, progress: Any) -> None:
        progress.note("images/train/tile003.png is odd")
        raise RunError("tile004 has no loss")

    monkeypatch.setattr(run_module, "train", fails)
    settings = load_settings(
        variables={"SONARSTACK_SEALED": "1", "SONARSTACK_LOG_PROVIDER": "aws", "SONARSTACK_LOG_GROUP": "g"},
        overrides={"data": str(tmp_path / "data")},
    ).settings
    request = TrainRequest(run=tmp_path / "run", threads=1)
    with pytest.raises(RunError):
        run_sealed(settings, request, key, config=tiny_config(), progress=Silent())
    told = [record.message for record in cloud.got]
    assert "images/train/(a sealed file) is odd" in told
    assert "RunError" in told
    assert not any("tile00" in record.as_line().decode() for record in cloud.got)
    assert list((tmp_path / "memory").iterdir()) == []
