"""A run that another machine takes up from its mirror: the right one, as far as it is, and no further than it was."""

import io
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.config.settings import Settings
from app.errors import OutputError
from app.exit_codes import ExitCode
from app.mirror import Mirror
from app.seal.sealed_mirror import SealedMirror
from app.training.checkpoint import Checkpoint
from app.training.request import TrainRequest
from app.training.run import run_training
from app.training.run_folder import RunFolder
from app.training.session import Session
from tests.app.seal.made_sealed import new_key
from tests.app.training.made_run import Notes, cpu_plan, tiny_config, write_squares


def settings_of(tmp_path: Path, **cloud: object) -> Settings:
    data = tmp_path / "data"
    if not data.exists():
        write_squares(data)
    return Settings.model_validate(
        {"data": str(data), "cloud": {"run_url": str(tmp_path / "mirror"), **cloud}}
    )


def test_a_finished_run_is_known_by_its_mirror_alone(tmp_path: Path) -> None:
    """Else one that ended early would train on and replace what it had found."""
    config = tiny_config(epochs=9, patience_epochs=1, evaluate_every=1)
    settings = settings_of(tmp_path)
    first = run_training(
        settings, TrainRequest(run=tmp_path / "one", dtype="float32"), config=config, progress=Notes()
    )
    assert first.reason == "AP50 has not risen for 1 epochs"
    second = run_training(
        settings, TrainRequest(run=tmp_path / "two", dtype="float32"), config=config, progress=Notes()
    )
    assert "complete already" in second.reason
    assert (tmp_path / "two" / "model" / "best.pt").read_bytes() == (
        tmp_path / "one" / "model" / "best.pt"
    ).read_bytes()


def made_run(path: Path, steps: tuple[int, ...], mirror: Path | None) -> RunFolder:
    run = RunFolder(path, mirror=None if mirror is None else str(mirror))
    run.write_record({"version": 1, "who": path.name})
    for step in steps:
        run.save_checkpoint(step, writes(f"{path.name} {step}"), keep=3)
    return run


def writes(text: str) -> Callable[[io.BufferedIOBase], object]:
    return lambda stream: stream.write(text.encode())


@pytest.mark.parametrize("own", [True, False], ids=["with a mirror of its own", "without"])
def test_the_mirror_of_another_run_replaces_nothing(tmp_path: Path, own: bool) -> None:
    made_run(tmp_path / "a", (100,), tmp_path / "mirror-a" if own else None)
    made_run(tmp_path / "b", (500,), tmp_path / "mirror-b")
    wrong = RunFolder(tmp_path / "a", mirror=str(tmp_path / "mirror-b"))
    with pytest.raises(
        OutputError, match=r"mirror-b holds another run than .*a; resume that one in a new folder"
    ):
        wrong.restore()
    assert wrong.read_record()["who"] == "a"
    assert RunFolder(tmp_path / "new", mirror=str(tmp_path / "mirror-b")).restore()


def test_the_copy_of_another_sealed_run_replaces_nothing(tmp_path: Path) -> None:
    key = new_key()

    def run(name: str, place: str, beyond: str) -> RunFolder:
        mirror = SealedMirror(tmp_path / name, tmp_path / place, key, beyond=str(tmp_path / beyond))
        return RunFolder(tmp_path / name, mirror=mirror)

    for name, steps in (("a", (1,)), ("b", (1, 2, 3))):
        sealed = run(name, f"place-{name}", f"beyond-{name}")
        sealed.write_record({"version": 1, "config": {"name": name, "epochs": 1}})
        for step in steps:
            sealed.save_checkpoint(step, writes(name), keep=3)
    with pytest.raises(OutputError, match="beyond-b holds another run"):
        run("again", "place-a", "beyond-b").restore()


def test_a_sealed_run_whose_upload_was_cut_is_taken_up_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, put = new_key(), Mirror._put

    class GoneError(BaseException):
        """The machine."""

    def run(name: str) -> RunFolder:
        mirror = SealedMirror(
            tmp_path / name, tmp_path / f"place-{name}", key, beyond=str(tmp_path / "beyond")
        )
        return RunFolder(tmp_path / name, mirror=mirror)

    first = run("first")
    first.write_record({"version": 1, "config": {"name": "x", "epochs": 1}})
    first.save_checkpoint(100, writes("one"), keep=3)
    for files in range(1, 6):
        left = iter(range(files))

        def put_some(mirror: Mirror, name: str, left: object = left) -> None:
            if next(left, None) is None:  # type: ignore[call-overload]
                raise GoneError
            put(mirror, name)

        monkeypatch.setattr(Mirror, "_put", put_some)
        with pytest.raises(GoneError):
            first.save_checkpoint(200 + files, writes("two"), keep=3)
        monkeypatch.setattr(Mirror, "_put", put)
        other = run(f"other-{files}")
        other.restore()
        newest = other.newest_checkpoint()
        assert newest is not None
        assert newest.read_bytes() in (b"one", b"two")


def test_a_mirror_that_fails_is_told_at_once_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    run = made_run(tmp_path / "a", (1,), tmp_path / "mirror")
    run.tell = told.append
    push = Mirror.push

    def fails(_: Mirror) -> int:
        raise OutputError("cannot mirror to s3://x: the token has expired")

    monkeypatch.setattr(Mirror, "push", fails)
    for step in (2, 3):
        run.save_checkpoint(step, writes("x"), keep=3)
    assert told == [
        "warning: cannot mirror to s3://x: the token has expired; it is tried again at each checkpoint"
    ]
    monkeypatch.setattr(Mirror, "push", push)
    run.save_checkpoint(4, writes("x"), keep=3)
    assert told[1:] == ["the mirror takes the run again"]


def test_a_gpu_that_scales_gradients_goes_on_with_what_one_did_that_does_not() -> None:
    plan = cpu_plan()
    content = io.BytesIO()
    Session(tiny_config(), ("target",), plan, total_steps=10).write_checkpoint(content)
    scaling = replace(plan, dtype=torch.float16, grad_scaler=True)
    checkpoint = Checkpoint.read(content.getvalue(), "step-1.pt", plan.device)
    session = Session(tiny_config(), ("target",), scaling, total_steps=10, checkpoint=checkpoint)
    assert session.scaler.get_scale() > 1


def test_hours_count_from_when_the_data_was_fetched(tmp_path: Path) -> None:
    request = TrainRequest(run=tmp_path / "run", dtype="float32", started_s=time.monotonic() - 3600)
    result = run_training(settings_of(tmp_path, max_hours=1), request, config=tiny_config(), progress=Notes())
    assert result.code is ExitCode.DEADLINE
    assert "go on with the same command: it takes up" in result.as_text()


def test_whoever_reached_the_dollars_is_told_that_the_same_command_needs_more_of_them(tmp_path: Path) -> None:
    """They are the run's: with the same limit every start would end after its first step."""
    settings = settings_of(tmp_path, max_usd=1e-6, price_usd_per_h=1.0)
    request = TrainRequest(run=tmp_path / "run", dtype="float32")
    result = run_training(settings, request, config=tiny_config(), progress=Notes())
    assert result.code is ExitCode.BUDGET
    assert "go on with the same command and a higher limit (--max-usd)" in result.as_text()


def test_what_is_unsealed_does_not_outlive_a_process_that_is_ended_from_outside(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.seal.memory import memory_folder;"
        "from app.training.sealed import _Alone\n"
        "with memory_folder(1 << 20, mounts=(Path(sys.argv[1]),)) as memory:\n"
        "    (memory / 'plain.png').write_bytes(b'secret'); _Alone(memory).leave(3)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == 3
    assert list(tmp_path.iterdir()) == []
