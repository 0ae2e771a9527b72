"""The seam: what infra sets is what app reads. The one file that sees both sides."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.config.settings import OTHER_VARIABLES, SEAM_VERSION, VARIABLES, load_settings
from app.doctor.aws import QUOTAS
from app.exit_codes import ExitCode
from app.seal import folder as app_folder
from app.seal.key import SealKey
from app.seal.sealed_mirror import SealedMirror
from app.seal.unseal import sealed_data_mark, unseal_data
from app.secrets import SEAL_KEY
from app.storage import UNFINISHED
from app.telemetry.logs.azure import ADDRESS, row
from app.telemetry.logs.record import LogRecord
from app.training.manifest import MANIFEST, verify_manifest, write_manifest
from app.training.run_folder import RECORD, RunFolder
from infra import outcomes, specs
from infra.aws.types import TYPES
from infra.azure import tables
from infra.runs import manifest
from infra.runs.manifest import differences
from infra.seal import folder as infra_folder
from infra.seal.data import seal_data
from infra.seal.key import seal_key
from infra.seal.run import unseal_run
from infra.specs import DEVICES, RECIPES, Limits, TrainingJob

PROJECT = Path(__file__).resolve().parents[1]
EVERYTHING = TrainingJob(
    limits=Limits(max_hours=3.5, max_usd_per_h=0.8, max_usd=5.0, idle_minutes=30.0),
    data_url="/data",
    recipe="fine_tune",
    device="cuda:1",
    nproc="8",
    run_url="s3://bucket/runs/x",
    checkpoint_minutes=7.5,
    price_usd_per_h=0.123456789,
    spent_usd=1.25,
    cloud="aws",
    log_provider="aws",
    log_group="group",
    sealed=True,
    secret_id="secret",
    notify_url="https://example.org/hook",
)


def test_both_sides_name_the_same_variables() -> None:
    assert set(EVERYTHING.variables()) == set(VARIABLES) | {"SONARSTACK_SEAM"}


def test_both_sides_have_the_same_version() -> None:
    assert specs.SEAM_VERSION == SEAM_VERSION
    assert "SONARSTACK_SEAM" in OTHER_VARIABLES


def test_the_key_of_a_sealed_run_is_known_and_no_setting() -> None:
    assert specs.SEAL_KEY == SEAL_KEY
    assert SEAL_KEY in OTHER_VARIABLES
    assert SEAL_KEY not in set(VARIABLES) | set(EVERYTHING.variables())


def test_what_was_set_is_what_is_read() -> None:
    settings = load_settings(variables=EVERYTHING.variables()).settings
    assert (settings.data, settings.recipe, settings.device) == ("/data", "fine_tune", "cuda:1")
    assert settings.nproc == 8
    cloud = settings.cloud
    assert (cloud.max_hours, cloud.max_usd, cloud.idle_minutes) == (3.5, 5.0, 30.0)
    assert (cloud.price_usd_per_h, cloud.spent_usd) == (0.123456789, 1.25)
    assert (cloud.run_url, cloud.checkpoint_minutes) == ("s3://bucket/runs/x", 7.5)
    assert cloud.sealed
    assert (cloud.provider, cloud.log_provider) == ("aws", "aws")
    assert (cloud.log_group, cloud.secret_id, cloud.notify_url) == (
        "group",
        "secret",
        "https://example.org/hook",
    )


@given(
    hours=st.floats(min_value=0.001, max_value=720),
    usd=st.none() | st.floats(min_value=0.01, max_value=1e4),
    price=st.floats(min_value=0, max_value=100),
    device=st.sampled_from(DEVICES),
    recipe=st.sampled_from(RECIPES),
)
def test_every_job_is_understood(hours, usd, price, device, recipe) -> None:
    limits = Limits(max_hours=hours, max_usd=usd)
    job = TrainingJob(limits=limits, data_url="d", price_usd_per_h=price, device=device, recipe=recipe)
    cloud = load_settings(variables=job.variables()).settings.cloud
    assert cloud.max_hours == hours
    assert cloud.max_usd == (usd if price > 0 else None)


def test_both_sides_tell_the_same_ends_by_the_same_codes() -> None:
    ended = {
        int(code): code.name.lower() for code in ExitCode if code not in (ExitCode.FAILED, ExitCode.USAGE)
    }
    assert ended == outcomes.OUTCOMES
    assert outcomes.outcome_of(ExitCode.FAILED) == outcomes.outcome_of(ExitCode.USAGE) == outcomes.FAILED


def test_both_sides_ask_for_the_same_quotas() -> None:
    for kind in TYPES.values():
        family = kind.family
        codes = QUOTAS.get(family[:2], QUOTAS.get(family[:1]))
        assert codes == (kind.quota("on_demand").code, kind.quota("spot").code)


def test_the_words_of_the_command_are_options_of_train() -> None:
    train = (PROJECT / "app" / "verbs" / "train.py").read_text()
    assert EVERYTHING.arguments("/runs/x")[:2] == ("train", "--run")
    assert re.search(r"\brun: Annotated\[Path", train)


@pytest.mark.parametrize(
    "dockerfile", sorted((PROJECT / "images").glob("*/Dockerfile")), ids=lambda p: p.parent.name
)
def test_images_carry_the_seams_version(dockerfile) -> None:
    found = re.findall(rf"{re.escape(specs.SEAM_LABEL)}=\"?(\d+)\"?", dockerfile.read_text())
    assert found
    assert set(found) == {str(SEAM_VERSION)}


@pytest.mark.parametrize("change", ["none", "edit", "add", "remove", "unfinished", "hidden"])
def test_both_sides_judge_a_run_by_its_manifest_alike(tmp_path, change) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "checkpoints" / "step-1.pt").write_bytes(b"weights")
    write_manifest(tmp_path, complete=True)
    changed = {
        "none": tmp_path / "run.json",
        "edit": tmp_path / "run.json",
        "add": tmp_path / "more",
        "remove": tmp_path / "run.json",
        "unfinished": tmp_path / f"x{UNFINISHED}",
        "hidden": tmp_path / ".mirror-owner",
    }[change]
    if change == "remove":
        changed.unlink()
    elif change != "none":
        changed.write_text("other")
    assert differences(tmp_path) == verify_manifest(tmp_path)
    assert bool(differences(tmp_path)) == (change in ("edit", "add", "remove"))


def test_both_sides_name_the_files_of_a_run_alike() -> None:
    assert (manifest.RECORD, manifest.MANIFEST, manifest.UNFINISHED) == (RECORD, MANIFEST, UNFINISHED)


def test_what_one_side_seals_the_other_opens(tmp_path) -> None:
    at_home = seal_key(tmp_path / "keys", "st")
    on_host = SealKey(at_home.secret_variables()[SEAL_KEY])
    assert on_host.fingerprint == at_home.fingerprint
    (tmp_path / "tiles" / "images").mkdir(parents=True)
    (tmp_path / "tiles" / "images" / "a ü.png").write_bytes(b"pixels" * 50_000)
    seal_data(tmp_path / "tiles", tmp_path / "data", at_home)
    unseal_data(tmp_path / "data", sealed_data_mark(tmp_path / "data"), on_host, tmp_path / "memory")
    assert (tmp_path / "memory" / "images" / "a ü.png").read_bytes() == b"pixels" * 50_000

    run = RunFolder(tmp_path / "run", mirror=SealedMirror(tmp_path / "run", tmp_path / "place", on_host))
    run.write_record({"version": 1})
    run.append_metrics({"kind": "step", "step": 1, "loss": 1.0})
    run.save_checkpoint(1, lambda stream: stream.write(b"weights") and None, keep=2)
    run.write_manifest(complete=True)
    assert differences(tmp_path / "place") == []
    receipt = unseal_run(tmp_path / "place", tmp_path / "home", at_home)
    assert receipt.complete
    assert verify_manifest(tmp_path / "home") == []


def test_both_sides_have_the_same_form_of_a_sealed_folder() -> None:
    for name in ("VERSION", "MARK", "STORE", "SUFFIX"):
        assert getattr(app_folder, name) == getattr(infra_folder, name)
    for name in ("Mark", "SealedFile", "Index"):
        mine, its = getattr(app_folder, name), getattr(infra_folder, name)
        assert mine.__slots__ == its.__slots__


def test_azure_s_stream_has_the_columns_that_the_program_sends() -> None:
    record = LogRecord(id="1", time_ms=0, level="INFO", kind="step", message="m", run="r", host="h", step=3)
    assert row(record).keys() == tables.SENT[tables.RECORDS].keys()
    address = tables.stream_address("https://logs.example.com", "dcr-1", tables.RECORDS)
    found = ADDRESS.fullmatch(address)
    assert found is not None
    assert found.groups() == ("https://logs.example.com", "dcr-1", tables.stream(tables.RECORDS))
