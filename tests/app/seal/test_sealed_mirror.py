"""The sealed copy of a run is whole at every moment, and opens nowhere but with its key."""

import json
import shutil
from pathlib import Path

import pytest

from app.errors import OutputError, SealError
from app.seal import sealed_mirror
from app.seal.folder import read_mark
from app.seal.key import SealKey
from app.seal.sealed_mirror import SealedMirror
from app.storage import write_text
from app.training.manifest import MANIFEST, verify_manifest
from app.training.run_folder import RunFolder
from tests.app.seal.made_sealed import flip_a_bit, new_key

WEIGHTS = b"PLANTED-WEIGHTS" * 5000


@pytest.fixture
def key() -> SealKey:
    return new_key()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def begin(memory: Path, place: Path, key: SealKey, *, beyond: str | None = None) -> RunFolder:
    run = RunFolder(memory, mirror=SealedMirror(memory, place, key, beyond=beyond))
    run.write_record(
        {"version": 1, "config": {"name": "smoke", "epochs": 3}, "data": {"root": "PLANTED-PLACE"}}
    )
    return run


def taken_up(memory: Path, place: Path, key: SealKey, *, beyond: str | None = None) -> RunFolder:
    run = RunFolder(memory, mirror=SealedMirror(memory, place, key, beyond=beyond))
    run.restore()
    return run


def save(run: RunFolder, step: int, data: bytes = WEIGHTS) -> None:
    run.append_metrics({"kind": "step", "step": step, "loss": 1.0})
    run.save_checkpoint(step, lambda stream: stream.write(data + b"%d" % step) and None, keep=2)


def newest(run: RunFolder) -> bytes:
    path = run.newest_checkpoint()
    assert path is not None
    return path.read_bytes()


def test_comes_back_in_another_memory(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    for step in (1, 2, 3):
        save(run, step)
    run.write_manifest(complete=True)
    again = taken_up(tmp_path / "b", place, key)
    assert newest(again) == WEIGHTS + b"3"
    assert again.read_record() == run.read_record()
    assert verify_manifest(again.path) == []
    assert [line["step"] for line in again.read_metrics()] == [1, 2, 3]
    save(again, 4)
    assert newest(taken_up(tmp_path / "c", place, key)) == WEIGHTS + b"4"


def test_place_shows_figures_and_no_data(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    save(run, 1)
    run.append_metrics({"kind": "step", "step": 2, "loss": 0.5})  # not pushed yet, but seen
    lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert json.loads((place / "run.json").read_text())["config"] == {"name": "smoke", "epochs": 3}
    for path in [p for p in place.rglob("*") if p.is_file()]:
        assert b"PLANTED" not in path.read_bytes(), path
    assert {p.name for p in place.iterdir()} == {
        "run.json",
        "metrics.jsonl",
        "manifest.json",
        "sealed.json",
        "sealed",
    }


def test_place_can_be_verified_without_the_key(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    save(run, 1)
    save(run, 2)
    run.write_manifest(complete=True)
    assert verify_manifest(place) == []
    assert json.loads((place / MANIFEST).read_text())["complete"] is True
    flip_a_bit(next((place / "sealed").iterdir()), 300)
    assert len(verify_manifest(place)) == 1


def test_what_the_run_dropped_goes_and_what_did_not_change_stays(
    tmp_path: Path, place: Path, key: SealKey
) -> None:
    run = begin(tmp_path / "a", place, key)
    save(run, 1)
    before = {p.name: p.stat().st_ino for p in (place / "sealed").iterdir()}
    assert SealedMirror(tmp_path / "a", place, key).push() == 0
    assert {p.name: p.stat().st_ino for p in (place / "sealed").iterdir()} == before
    for step in range(2, 9):
        save(run, step)
    # Record, two checkpoints with checksums, latest, events, index.
    assert len(list((place / "sealed").iterdir())) == 8


class Killed(BaseException):
    """No handler catches it: the process is gone."""


STEPS = ["seal_file", "write_index", "_write_clear", "sweep"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_in_a_push_leaves_a_whole_checkpoint(
    tmp_path: Path, place: Path, key: SealKey, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    run = begin(tmp_path / "a", place, key)
    save(run, 1)

    def killed(*arguments: object, **named: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        owner = {"seal_file": SealKey, "_write_clear": SealedMirror}.get(step, sealed_mirror)
        patch.setattr(owner, step, killed)
        with pytest.raises(Killed):
            save(run, 2)
    (place / "sealed" / ".torn.age.x.part").write_bytes(b"half")
    again = taken_up(tmp_path / "b", place, key)
    assert newest(again) == WEIGHTS + (b"2" if step in ("_write_clear", "sweep") else b"1")
    assert again.notes == []
    save(again, 3)
    again.write_manifest(complete=False)
    assert verify_manifest(place) == []
    assert not list((place / "sealed").glob(".*"))


def test_damaged_newest_is_passed_over(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    save(run, 1)
    before = set((place / "sealed").iterdir())
    save(run, 2, WEIGHTS * 3)
    flip_a_bit(max(set((place / "sealed").iterdir()) - before, key=lambda p: p.stat().st_size), 5000)
    again = taken_up(tmp_path / "b", place, key)
    assert newest(again) == WEIGHTS + b"1"
    assert any("cannot be unsealed: it is cut short, changed" in note for note in again.notes)


def test_torn_last_line_of_the_figures_is_left_out(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    save(run, 1)
    with (place / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "st')
    again = taken_up(tmp_path / "b", place, key)
    save(again, 2)
    again.write_manifest(complete=False)
    assert (place / "metrics.jsonl").read_bytes() == (tmp_path / "b" / "metrics.jsonl").read_bytes()
    assert [line["step"] for line in again.read_metrics()] == [1, 2]


def test_another_key_is_refused_and_changes_nothing(tmp_path: Path, place: Path, key: SealKey) -> None:
    save(begin(tmp_path / "a", place, key), 1)
    before = {p: p.read_bytes() for p in place.rglob("*") if p.is_file()}
    with pytest.raises(SealError, match="sealed for another key"):
        taken_up(tmp_path / "b", place, new_key())
    with pytest.raises(SealError, match="sealed for another key"):
        begin(tmp_path / "c", place, new_key())
    assert {p: p.read_bytes() for p in place.rglob("*") if p.is_file()} == before


def test_another_run_is_not_overwritten(tmp_path: Path, place: Path, key: SealKey) -> None:
    begin(tmp_path / "a", place, key)
    with pytest.raises(
        OutputError, match="holds another sealed run; resume that one, or give another folder"
    ):
        begin(tmp_path / "b", place, key)


def test_open_run_at_the_place_is_refused(tmp_path: Path, place: Path, key: SealKey) -> None:
    write_text(place / "run.json", "{}")
    with pytest.raises(OutputError, match="holds a run that is not sealed"):
        SealedMirror(tmp_path / "a", place, key).require_writable()


def test_place_that_fails_ends_the_run(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    shutil.rmtree(place / "sealed")
    (place / "sealed").write_text("in the way")
    (place / "sealed.json").unlink()
    with pytest.raises(OutputError, match="cannot write"):
        save(run, 1)


def test_address_beyond_holds_the_sealed_folder_and_fills_a_new_machine(
    tmp_path: Path, place: Path, key: SealKey
) -> None:
    far = str(tmp_path / "far")
    run = begin(tmp_path / "a", place, key, beyond=far)
    save(run, 1)
    other = taken_up(tmp_path / "b", tmp_path / "place2", key, beyond=far)
    assert newest(other) == WEIGHTS + b"1"
    save(other, 2)
    back = taken_up(tmp_path / "c", place, key, beyond=far)  # the first machine again, one checkpoint behind
    assert newest(back) == WEIGHTS + b"2"
    for path in [p for p in (tmp_path / "far").rglob("*") if p.is_file()]:
        assert b"PLANTED" not in path.read_bytes(), path


def test_address_beyond_that_goes_away_is_told_and_does_not_stop_the_run(
    tmp_path: Path, place: Path, key: SealKey
) -> None:
    far = tmp_path / "far"
    mirror = SealedMirror(tmp_path / "a", place, key, beyond=str(far))
    run = RunFolder(tmp_path / "a", mirror=mirror)
    run.write_record({"version": 1})
    assert mirror.behind is None
    (far / "mirror.json").unlink()
    (far / "mirror.json").mkdir()
    save(run, 1)
    assert mirror.behind is not None
    assert "cannot mirror to" in mirror.behind
    (far / "mirror.json").rmdir()
    save(run, 2)
    assert mirror.behind is None


def test_generation_counts_the_states(tmp_path: Path, place: Path, key: SealKey) -> None:
    run = begin(tmp_path / "a", place, key)
    generations = []
    for step in (1, 2):
        save(run, step)
        mark = read_mark(place)
        assert mark is not None
        generations.append(mark.generation)
    assert generations == [2, 3]
