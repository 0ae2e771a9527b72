"""A run comes home whole, or the reason is told."""

import hashlib
import json
from pathlib import Path

import pytest

from infra.errors import RunHomeError
from infra.hosts.local import LocalHost
from infra.runs.home import bring_home
from infra.runs.manifest import differences
from infra.runs.status import parse_metrics, parse_record, run_status

HOST = LocalHost()


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "there"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "checkpoints" / "step-1.pt").write_bytes(b"weights")
    seal(folder)
    return folder


def seal(folder: Path, *, complete: bool = True) -> None:
    files = {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({"complete": complete, "files": files}))


def test_it_arrives_whole(run, tmp_path) -> None:
    receipt = bring_home(HOST, str(run), tmp_path / "here")
    assert (receipt.files, receipt.complete, receipt.began, receipt.notes) == (3, True, True, ())
    assert differences(tmp_path / "here") == []
    assert "3 files" in receipt.as_text()


def test_what_is_home_already_is_only_verified(run) -> None:
    assert bring_home(HOST, str(run), run).files == 3


def test_no_run_is_no_error(tmp_path) -> None:
    receipt = bring_home(HOST, str(tmp_path / "none"), tmp_path / "here")
    assert not receipt.began
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: (r / "run.json").write_text("[]"), "run.json differs"),
        (lambda r: (r / "checkpoints" / "step-1.pt").unlink(), "step-1.pt is missing"),
        (lambda r: (r / "more").write_text("x"), "more is not in the manifest"),
        (lambda r: (r / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (lambda r: (r / "manifest.json").unlink(), "manifest.json is missing"),
    ],
)
def test_a_run_that_is_not_as_its_manifest_says(run, tmp_path, spoil, message) -> None:
    spoil(run)
    with pytest.raises(RunHomeError, match=message):
        bring_home(HOST, str(run), tmp_path / "here")
    assert bring_home(HOST, str(run), tmp_path / "here", crashed=True).notes


def test_a_run_that_goes_on_is_copied_as_far_as_it_is(run, tmp_path) -> None:
    (run / "metrics.jsonl").write_text("{}\n")
    receipt = bring_home(HOST, str(run), tmp_path / "here", over=False)
    assert receipt.notes == ("1 files are newer than the manifest",)


def test_a_run_that_was_copied_as_it_went_on_comes_home_whole_in_the_end(run, tmp_path) -> None:
    home = tmp_path / "here"
    bring_home(HOST, str(run), home, over=False)
    (home / "notes.txt").write_text("mine")
    (run / "checkpoints" / "step-1.pt").unlink()
    (run / "checkpoints" / "step-2.pt").write_bytes(b"better weights")
    seal(run)
    with pytest.raises(RunHomeError, match=r"notes.txt is not in the manifest"):
        bring_home(HOST, str(run), home)
    assert (home / "notes.txt").exists(), "it is not the program's"
    (home / "notes.txt").unlink()
    bring_home(HOST, str(run), home)
    assert [p.name for p in (home / "checkpoints").iterdir()] == ["step-2.pt"]


def test_a_checkpoint_that_got_lost_over_there_stays_at_home(run, tmp_path) -> None:
    home = tmp_path / "here"
    bring_home(HOST, str(run), home)
    (run / "checkpoints" / "step-1.pt").unlink()
    bring_home(HOST, str(run), home)
    assert differences(home) == []


def test_another_run_at_home_is_not_overwritten(run, tmp_path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "run.json").write_text('{"other": 1}')
    with pytest.raises(RunHomeError, match="holds another run; move it away"):
        bring_home(HOST, str(run), tmp_path / "here")


def step(number: int, seconds: float) -> dict:
    return {"kind": "step", "epoch": 0, "step": number, "total_steps": 100, "loss": 2.0, "seconds": seconds, "usd": 0.1,
            "images_per_s": 8.0, "host_used_mib": 512.0, "batch_s": 1.0}  # fmt: skip


def test_the_figures_say_how_far_it_is() -> None:
    status = run_status({"config": {"epochs": 5}}, [step(10, 10.0), step(20, 30.0)])
    assert (status.step, status.total_steps, status.epoch, status.epochs) == (20, 100, 1, 5)
    assert status.seconds_left == pytest.approx(160.0)
    assert status.memory_gib == 0.5


def test_an_end_is_told_and_nothing_is_left() -> None:
    status = run_status(
        None, [step(10, 10.0), {"kind": "end", "code": 80, "reason": "hours", "seconds": 11.0}]
    )
    assert (status.ended, status.seconds_left, status.seconds) == ("hours", None, 11.0)


def test_an_empty_run_is_at_the_start() -> None:
    assert run_status(None, []).step == 0


def test_torn_lines_are_left_out() -> None:
    assert parse_metrics(b'{"step": 1}\nnot json\n[1]\n{"step": 2}\n{"st') == [{"step": 1}, {"step": 2}]
    assert parse_record(b'{"a"') is None
    assert parse_record(None) is None
