"""The run folder keeps what a training did, whatever stopped it."""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import pytest

from app.errors import OutputError, RunError
from app.mirror import Mirror
from app.storage import UNFINISHED
from app.training.manifest import MANIFEST, is_complete, verify_manifest
from app.training.run_folder import RunFolder
from tests.app.test_storage import DISK_BYTES, small_disk

__all__ = ["small_disk"]  # a fixture: pytest finds it by its name here


def writes(content: bytes) -> Callable[[BinaryIO], None]:
    def write(stream: BinaryIO) -> None:
        stream.write(content)

    return write


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.write_record({"config": {"batch_size": 16}})
    return folder


def test_record_reads_back(run: RunFolder) -> None:
    assert run.exists
    assert run.read_record() == {"config": {"batch_size": 16}}


def test_folder_without_a_run_is_told(tmp_path: Path) -> None:
    assert not RunFolder(tmp_path).exists
    with pytest.raises(
        RunError, match=r"holds no run \(run.json is missing\); give the folder of a training"
    ):
        RunFolder(tmp_path).read_record()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_damaged_record_is_told(run: RunFolder, content: bytes) -> None:
    (run.path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match="restore it from the run's mirror"):
        run.read_record()


def test_newest_of_the_kept_checkpoints_is_found(run: RunFolder) -> None:
    assert run.newest_checkpoint() is None
    for step in (5, 10, 99_999_999, 100_000_000):
        run.save_checkpoint(step, writes(b"%d" % step), keep=2)
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"100000000"
    names = sorted(p.name for p in (run.path / "checkpoints").iterdir())
    assert names == [
        "latest.json",
        "step-100000000.pt",
        "step-100000000.pt.sha256",
        "step-99999999.pt",
        "step-99999999.pt.sha256",
    ]
    latest = json.loads((run.path / "checkpoints" / "latest.json").read_text())
    assert (latest["file"], latest["step"]) == ("step-100000000.pt", 100_000_000)


def test_checksums_are_what_sha256sum_reads(run: RunFolder) -> None:
    path = run.save_checkpoint(1, writes(b"one"), keep=3)
    done = subprocess.run(
        ["sha256sum", "-c", f"{path.name}.sha256"], cwd=path.parent, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_damaged_checkpoint_is_passed_over_although_latest_names_it(run: RunFolder) -> None:
    run.save_checkpoint(1, writes(b"one"), keep=3)
    run.save_checkpoint(2, writes(b"two"), keep=3).write_bytes(b"twx")
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.name == "step-00000001.pt"
    assert run.notes == [f"{run.path}/checkpoints/step-00000002.pt is damaged and passed over"]


def test_checkpoint_without_checksum_is_not_trusted(run: RunFolder) -> None:
    run.save_checkpoint(1, writes(b"one"), keep=3)
    (run.path / "checkpoints" / "step-00000002.pt").write_bytes(b"killed before the checksum")
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.name == "step-00000001.pt"


def test_only_damaged_checkpoints_is_an_error(run: RunFolder) -> None:
    run.save_checkpoint(1, writes(b"one"), keep=3).write_bytes(b"")
    with pytest.raises(
        RunError, match=r"every checkpoint in .* is damaged; remove that folder to start over"
    ):
        run.newest_checkpoint()


def test_killed_while_the_first_checkpoint_was_written_begins_anew(run: RunFolder) -> None:
    folder = run.path / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "step-00000001.pt").write_bytes(b"whole, and without its checksum")
    assert run.newest_checkpoint() is None
    assert run.notes == [f"{folder}/step-00000001.pt is damaged and passed over"]


def test_failed_checkpoint_leaves_the_older_ones(run: RunFolder) -> None:
    run.save_checkpoint(1, writes(b"one"), keep=1)

    def fails(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run.save_checkpoint(2, fails, keep=1)
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"one"
    assert len(list((run.path / "checkpoints").iterdir())) == 3


@pytest.mark.slow
def test_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from app.training.run_folder import RunFolder
        run = RunFolder(Path(sys.argv[1]))
        run.write_record({})
        run.save_checkpoint(1, lambda s: s.write(b"1" * 3_000_000), keep=2)
        print("ready", flush=True)
        for step in range(2, 10_000):
            run.append_metrics({"kind": "step", "step": step, "loss": 1.0})
            run.save_checkpoint(step, lambda s: s.write(b"%d" % (step % 10) * 3_000_000), keep=2)
    """)
    for round_number in range(6):
        path = tmp_path / f"run{round_number}"
        with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(timeout=0.11 + 0.037 * round_number)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
        run = RunFolder(path)
        newest = run.newest_checkpoint()
        assert newest is not None
        assert len(set(newest.read_bytes())) == 1
        steps = [line["step"] for line in run.read_metrics()]
        assert steps == list(range(2, 2 + len(steps)))
        run.clear_leftovers()
        assert not list((path / "checkpoints").glob(".*"))


def test_metrics_append_and_cut_a_torn_line(run: RunFolder) -> None:
    run.append_metrics({"kind": "step", "step": 1, "loss": 2.5})
    with (run.path / "metrics.jsonl").open("ab") as stream:
        stream.write(b'{"kind": "step", "st')
    assert [line["step"] for line in run.read_metrics()] == [1]
    after_the_crash = RunFolder(run.path)
    after_the_crash.append_metrics({"kind": "step", "step": 2, "loss": 2.0})
    text = (run.path / "metrics.jsonl").read_text()
    assert [json.loads(line)["step"] for line in text.splitlines()] == [1, 2]


def test_metrics_that_are_not_finite_become_null(run: RunFolder) -> None:
    run.append_metrics({"step": 1, "loss": math.nan, "parts": {"iou": math.inf}})
    assert run.read_metrics() == [{"step": 1, "loss": None, "parts": {"iou": None}}]


def test_metrics_damaged_in_the_middle_are_told(run: RunFolder) -> None:
    (run.path / "metrics.jsonl").write_text('{"step": 1}\nrubbish\n{"step": 2}\n')
    with pytest.raises(RunError, match=r"metrics.jsonl is damaged .*restore it from the run's mirror"):
        run.read_metrics()


def test_full_disk_keeps_checkpoint_and_metrics_whole(small_disk: Path) -> None:
    run = RunFolder(small_disk / "run")
    run.save_checkpoint(1, writes(b"one"), keep=2)
    run.append_metrics({"kind": "end", "step": 1})
    with pytest.raises(OutputError, match="the disk is full"):
        run.save_checkpoint(2, writes(bytes(2 * DISK_BYTES)), keep=2)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(4096))
    with pytest.raises(OutputError, match=r"cannot write .*metrics.jsonl: the disk is full"):
        run.append_metrics({"kind": "end", "step": 2, "text": "x" * 8192})
    filler.unlink()
    run.append_metrics({"kind": "end", "step": 3})
    assert [line["step"] for line in run.read_metrics()] == [1, 3]
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"one"


def test_tensorboard_reads_the_same_figures(run: RunFolder) -> None:
    for step in (10, 20):
        run.append_metrics({"kind": "step", "step": step, "loss": 30.0 / step, "note": "x", "ok": True})
    run.append_metrics({"kind": "epoch", "step": 20, "ap50": 0.75})
    run.write_manifest(complete=False)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["epoch/ap50", "step/loss"]
    assert [(e.step, e.value) for e in events.Scalars("step/loss")] == [(10, 3.0), (20, 1.5)]


def test_manifest_agrees_until_something_changes(run: RunFolder) -> None:
    run.save_checkpoint(1, writes(b"one"), keep=3)
    run.append_metrics({"kind": "step", "step": 1, "loss": 1.0})
    run.write_manifest(complete=False)
    assert not is_complete(run.path)
    assert verify_manifest(run.path) == []
    (run.path / "checkpoints" / "step-00000001.pt").write_bytes(b"0ne")
    (run.path / "run.json").unlink()
    (run.path / "extra.txt").touch()
    assert verify_manifest(run.path) == [
        "run.json is missing",
        "checkpoints/step-00000001.pt differs",
        "extra.txt is not in the manifest",
    ]
    run.write_manifest(complete=True)
    assert verify_manifest(run.path) == []
    assert is_complete(run.path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"complete": true, "files": []}'])
def test_damaged_manifest_is_told(run: RunFolder, content: str) -> None:
    (run.path / MANIFEST).write_text(content)
    with pytest.raises(RunError, match=r"is damaged .*; restore it from the run's mirror"):
        verify_manifest(run.path)


def test_missing_manifest_says_what_it_means(run: RunFolder) -> None:
    with pytest.raises(RunError, match="the run has not stopped yet, or was killed; resume it"):
        verify_manifest(run.path)


def test_another_machine_takes_the_run_from_the_mirror(tmp_path: Path) -> None:
    far = str(tmp_path / "far")
    first = RunFolder(tmp_path / "a", mirror=far)
    first.write_record({"seed": 1})
    first.save_checkpoint(1, writes(b"one"), keep=2)
    second = RunFolder(tmp_path / "b", mirror=far)
    newest = second.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"one"
    assert second.read_record() == {"seed": 1}
    second.save_checkpoint(2, writes(b"two"), keep=2)
    back = RunFolder(tmp_path / "a", mirror=far)  # the first machine again, one checkpoint behind
    newest = back.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"two"


def test_a_start_reads_the_mirrors_index_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked whether the run is finished, whether it is taken up, and for its newest checkpoint."""
    far = tmp_path / "far"
    first = RunFolder(tmp_path / "a", mirror=str(far))
    first.write_record({})
    first.save_checkpoint(1, writes(b"one"), keep=2)
    (far / "run.json").write_bytes(b"damaged there")
    looks: list[Path] = []
    names = Mirror.names
    monkeypatch.setattr(Mirror, "names", lambda mirror: looks.append(far) or names(mirror))
    run = RunFolder(tmp_path / "b", mirror=str(far))
    assert run.restore()
    assert not run.restore()
    assert run.newest_checkpoint() is not None
    assert looks == [far]
    assert run.notes == [f"{far}/run.json is damaged: its checksum differs"]


def test_folder_ahead_of_its_mirror_is_not_set_back(tmp_path: Path) -> None:
    far = tmp_path / "far"
    run = RunFolder(tmp_path / "a", mirror=str(far))
    run.write_record({})
    run.save_checkpoint(1, writes(b"one"), keep=2)
    RunFolder(tmp_path / "a").save_checkpoint(2, writes(b"two"), keep=2)  # while the mirror was away
    assert not run.restore()
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"two"


def test_damaged_folder_is_healed_from_its_mirror(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "a", mirror=str(tmp_path / "far"))
    run.write_record({})
    path = run.save_checkpoint(3, writes(b"three"), keep=2)
    path.write_bytes(b"thr")
    newest = run.newest_checkpoint()
    assert newest is not None
    assert newest.read_bytes() == b"three"


def test_mirror_that_goes_away_does_not_stop_the_run(tmp_path: Path) -> None:
    far = tmp_path / "far"
    run = RunFolder(tmp_path / "a", mirror=str(far))
    run.write_record({})
    (far / "mirror.json").unlink()
    (far / "mirror.json").mkdir()
    run.save_checkpoint(1, writes(b"one"), keep=2)
    assert len(run.notes) == 1
    assert "cannot mirror to" in run.notes[0]
    with pytest.raises(OutputError, match="cannot mirror to"):
        run.write_manifest(complete=True)


def test_log_does_not_grow_under_the_mirror_of_a_run_that_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, write_index = RunFolder(tmp_path / "run", mirror=str(tmp_path / "far")), Mirror._write_index
    run.append_log({"message": "before"})

    def meanwhile(mirror: Mirror, owner: str, files: dict[str, list[str]]) -> None:
        other = Thread(target=run.append_log, args=({"message": "meanwhile"},))
        other.start()
        other.join()
        write_index(mirror, owner, files)

    monkeypatch.setattr(Mirror, "_write_index", meanwhile)
    run.write_record({"config": {}})
    assert Mirror(tmp_path / "home", str(tmp_path / "far")).pull() == ()
    assert (tmp_path / "home" / "log.jsonl").is_file()


def test_new_run_does_not_take_the_mirror_of_another(tmp_path: Path) -> None:
    RunFolder(tmp_path / "a", mirror=str(tmp_path / "far")).write_record({"seed": 1})
    other = RunFolder(tmp_path / "b", mirror=str(tmp_path / "far"))
    other.require_writable()
    with pytest.raises(OutputError, match="it holds another run"):
        other.write_record({"seed": 2})


def test_reading_a_run_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.training.run_folder import RunFolder; "
        "r = RunFolder(Path(sys.argv[1])); r.append_metrics({'kind': 'step', 'step': 1, 'loss': 2.0}); "
        "r.write_manifest(complete=False); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_looking_at_a_run_leaves_alone_what_is_being_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.save_checkpoint(1, lambda stream: stream.write(b"x") and None, keep=2)
    unfinished = tmp_path / "checkpoints" / f".step-00000002.pt.abc{UNFINISHED}"
    unfinished.write_bytes(b"half")
    RunFolder(tmp_path).newest_checkpoint()
    assert unfinished.exists()
    RunFolder(tmp_path).clear_leftovers()
    assert not unfinished.exists()
