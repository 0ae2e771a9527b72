"""The loop: it ends as told, resumes bit-equal, survives full memory, and leaves a whole run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from app.dataset.cache import PixelCache
from app.dataset.split import Split
from app.dataset.tile_batches import Batch, TileBatches
from app.detector.model_file import ModelCard, read_model, write_model
from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.device.batch_size import MicroBatch
from app.device.shared_bytes import CAN_SHARE
from app.errors import DatasetError, RunError
from app.exit_codes import ExitCode
from app.telemetry.progress import Silent
from app.training.checkpoint import Checkpoint
from app.training.finish import finish_run
from app.training.job import finished
from app.training.limits import Limits
from app.training.loop import train
from app.training.manifest import verify_manifest
from app.training.run_folder import RunFolder
from app.training.session import Session
from tests.app.training.made_run import Notes, cpu_plan, tiny_config, tiny_job, write_squares


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data")


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    newest = RunFolder(run).newest_checkpoint()
    assert newest is not None
    weights: dict[str, torch.Tensor] = torch.load(newest, weights_only=True)["average"]["weights"]
    return weights


class StopAfter(Silent):
    """Asks for a stop with a real SIGTERM once so many images are done."""

    def __init__(self, images: float) -> None:
        self._left = images

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._left -= amount
        if self._left <= 0:
            self._left = float("inf")
            os.kill(os.getpid(), signal.SIGTERM)


def test_run_leaves_everything_the_design_names(data: Path, tmp_path: Path) -> None:
    job = tiny_job(data, tmp_path / "run")
    outcome = train(job, Silent())
    assert outcome.code is ExitCode.DONE
    scores = finish_run(job, Silent())
    assert 0 <= scores.ap50 <= 1
    job.run.write_manifest(complete=True)
    for name in ("run.json", "metrics.jsonl", "checkpoints/latest.json", "model/best.pt", "model/best.onnx"):
        assert (tmp_path / "run" / name).is_file(), name
    assert verify_manifest(tmp_path / "run") == []
    assert finished(RunFolder(tmp_path / "run"))
    kinds = [line["kind"] for line in job.run.read_metrics()]
    assert kinds.count("epoch") == 2
    assert kinds[-1] == "end"
    step = next(line for line in job.run.read_metrics() if line["kind"] == "step")
    assert {"loss", "batch_s", "images_per_s", "errors", "host_used_mib", "usd"} <= set(step)


@pytest.mark.parametrize("images", [6, 22, 30])
def test_resumed_run_ends_with_the_same_weights(data: Path, tmp_path: Path, images: int) -> None:
    config = tiny_config(epochs=3)
    train(tiny_job(data, tmp_path / "whole", config=config), Silent())
    first = train(tiny_job(data, tmp_path / "cut", config=config), StopAfter(images))
    assert first.code is ExitCode.INTERRUPTED
    assert "SIGTERM" in first.reason
    second = train(tiny_job(data, tmp_path / "cut", config=config), Silent())
    assert second.code is ExitCode.DONE
    whole, cut = final_weights(tmp_path / "whole"), final_weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_run_goes_on_without_the_model_it_started_from(data: Path, tmp_path: Path) -> None:
    """On another machine, and where the program's own networks have another shape by now."""
    start = tmp_path / "start.pt"
    shape = DetectorConfig(class_names=("target",), widths=(8, 16, 16, 16), neck_width=16)
    with start.open("wb") as stream:
        write_model(stream, SidescanTargetDetector(shape), ModelCard(name="start"))
    config = tiny_config(epochs=3, start_from=str(start))
    train(tiny_job(data, tmp_path / "whole", config=config), Silent())
    train(tiny_job(data, tmp_path / "cut", config=config), StopAfter(22))
    start.unlink()
    assert train(tiny_job(data, tmp_path / "cut", config=config), Silent()).code is ExitCode.DONE
    whole, cut = final_weights(tmp_path / "whole"), final_weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_checkpoint_of_before_tells_no_shape_and_is_read_still(data: Path, tmp_path: Path) -> None:
    train(tiny_job(data, tmp_path / "run"), StopAfter(22))
    newest = RunFolder(tmp_path / "run").newest_checkpoint()
    assert newest is not None
    state = torch.load(newest, weights_only=True)
    del state["network"]
    for version, works in ((1, True), (3, False)):
        torch.save(state | {"version": version}, newest)
        if works:
            assert Checkpoint.read(newest.read_bytes(), newest.name, torch.device("cpu")).network is None
            assert Session(
                tiny_config(),
                ("target",),
                cpu_plan(),
                total_steps=9,
                checkpoint=Checkpoint.read(newest.read_bytes(), newest.name, torch.device("cpu")),
            ).position.step
        else:
            with pytest.raises(RunError, match="version 3, this program reads 1 and 2"):
                Checkpoint.read(newest.read_bytes(), newest.name, torch.device("cpu"))


def test_what_a_run_keeps_is_said(data: Path, tmp_path: Path) -> None:
    train(tiny_job(data, tmp_path / "run"), StopAfter(4))
    notes = Notes()
    job = tiny_job(data, tmp_path / "run", config=tiny_config(epochs=9, batch_size=8), progress=notes)
    assert (job.config.epochs, job.config.batch_size) == (2, 4)
    (note,) = notes.notes
    assert "begun with epochs 2, not 9, batch_size 4, not 8: going on with that" in note
    tiny_job(data, tmp_path / "run", progress=notes)
    assert len(notes.notes) == 1


def test_batch_size_is_read_from_the_run(data: Path, tmp_path: Path) -> None:
    train(tiny_job(data, tmp_path / "run"), StopAfter(4))
    job = tiny_job(data, tmp_path / "run", config=tiny_config(batch_size=8))
    assert job.config.batch_size == 4


def test_another_run_in_the_folder_is_refused(data: Path, tmp_path: Path) -> None:
    tiny_job(data, tmp_path / "run")
    with pytest.raises(RunError, match="already holds a run; give another --run"):
        tiny_job(data, tmp_path / "run", resume=False)


def test_changed_data_is_refused(data: Path, tmp_path: Path) -> None:
    tiny_job(data, tmp_path / "run")
    label = next((data / "labels").glob("*1.txt"))
    label.write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(RunError, match="begun with other data"):
        tiny_job(data, tmp_path / "run")


def test_damaged_record_is_said(data: Path, tmp_path: Path) -> None:
    tiny_job(data, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({**record, "version": 9}))
    with pytest.raises(RunError, match="another version"):
        tiny_job(data, tmp_path / "run")


def test_dollars_end_the_run_with_their_own_code(data: Path, tmp_path: Path) -> None:
    limits = Limits(max_usd=0.01, price_usd_per_h=3600.0, spent_usd=0.009)
    outcome = train(tiny_job(data, tmp_path / "run", limits=limits), Silent())
    assert outcome.code is ExitCode.BUDGET
    assert RunFolder(tmp_path / "run").newest_checkpoint() is not None
    assert verify_manifest(tmp_path / "run") == []
    assert not finished(RunFolder(tmp_path / "run"))


def test_hours_end_the_run(data: Path, tmp_path: Path) -> None:
    outcome = train(tiny_job(data, tmp_path / "run", limits=Limits(max_hours=1e-7)), Silent())
    assert outcome.code is ExitCode.DEADLINE


def test_full_memory_halves_the_batch_and_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Session._accumulate
    failures = iter([True, True, False])

    def failing(self: Session, batch: object) -> dict[str, float]:
        if next(failures, False):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "_accumulate", failing)
    job = tiny_job(data, tmp_path / "run")
    assert train(job, Silent()).code is ExitCode.DONE
    lines = [line for line in job.run.read_metrics() if line["kind"] == "step"]
    assert lines[-1]["micro_batch"] == 1
    assert lines[-1]["errors"]["out_of_memory"] == 2


def test_accumulated_gradients_are_those_of_the_whole_batch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job(data, tmp_path / "run")
    cache = PixelCache(job.tiles)
    batches = TileBatches(
        job.tiles, cache, job.split.train, size_px=64, batch_size=4, seed=0, augmentation=None
    )
    batch = batches.batch(0, 0)
    gradients = []
    for micro in (4, 2):
        session = Session(job.config, ("target",), job.plan, total_steps=10)
        # Batch norms of evaluation: with those of training, parts of a batch see other means than the whole.
        session.model.eval()
        monkeypatch.setattr(session.model, "train", lambda: None)
        session.micro = MicroBatch(effective=4, micro=micro)
        session._accumulate(batch)
        gradients.append(session.model.stem[1][0].weight.grad.clone())
    # Not equal to the last digit: each part divides by its own number of boxes. The direction is what counts.
    cosine = torch.nn.functional.cosine_similarity(gradients[0].flatten(), gradients[1].flatten(), dim=0)
    assert cosine > 0.9


def test_loss_that_stays_not_finite_ends_with_advice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"loss": float("nan"), "class": 0.0, "iou": 0.0, "dfl": 0.0}
    monkeypatch.setattr(Session, "_accumulate", lambda self, batch: nothing)
    with pytest.raises(RunError, match=r"no finite loss in 20 batches .* --dtype float32"):
        train(tiny_job(data, tmp_path / "run", config=tiny_config(epochs=20)), Silent())


def test_validation_without_a_box_keeps_the_last_epoch(data: Path, tmp_path: Path) -> None:
    job = tiny_job(data, tmp_path / "run")
    empty = tuple(i for i, tile in enumerate(job.tiles.tiles) if not len(tile.labels))
    shown = tuple(i for i in range(len(job.tiles)) if i not in empty)
    assert train(replace(job, split=Split(train=shown, val=empty)), Silent()).code is ExitCode.DONE
    assert read_model(job.run.best_model)[1].name.endswith("epoch 2")


def test_a_batch_without_a_finite_loss_leaves_no_trace_in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose features overflowed 16 bits: the norms have seen it before its loss is known."""
    batch = Batch(
        images_B1HW=np.random.default_rng(0).integers(0, 256, (4, 1, 64, 64), dtype=np.uint8),
        boxes=[np.array([[10, 10, 30, 30]], np.float32)] * 4,
        labels=[np.zeros(1, np.int64)] * 4,
    )
    session = Session(tiny_config(), ("target",), cpu_plan(), total_steps=10)
    session.step(batch)
    with monkeypatch.context() as patch:
        to_device = Session._to_device
        patch.setattr(Session, "_to_device", lambda self, images: to_device(self, images) * float("nan"))
        session.step(batch)
    session.step(batch)
    assert session.position.errors["nonfinite_loss"] == 1
    assert all(
        v.isfinite().all() for m in (session.model, session.average.module) for v in m.state_dict().values()
    )


@pytest.mark.slow
def test_killed_process_loses_at_most_a_checkpoint(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "app",
        "train",
        "--data",
        str(data),
        "--run",
        str(run),
        "--recipe",
        "smoke",
    ]
    command += ["--size-px", "64", "--epochs", "4000", "--threads", "1"]
    environment = {**os.environ, "SONARSTACK_CHECKPOINT_MINUTES": "0.02"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (run / "checkpoints" / "latest.json").is_file() and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    newest = RunFolder(run).newest_checkpoint()
    assert newest is not None
    assert not finished(RunFolder(run))
    job = tiny_job(data, run)
    outcome = train(job, StopAfter(10))
    assert outcome.code is ExitCode.INTERRUPTED
    assert RunFolder(run).newest_checkpoint() != newest


@pytest.mark.parametrize("named", ["one/model/best.pt", "one"])
def test_trained_model_can_be_started_from(data: Path, tmp_path: Path, named: str) -> None:
    job = tiny_job(data, tmp_path / "one")
    train(job, Silent())
    config = tiny_config(start_from=str(tmp_path / named))
    session = Session(config, ("ship", "target"), job.plan, total_steps=10)
    old, _ = read_model(job.run.best_model)
    assert torch.equal(session.model.class_head[2].weight[1], old.class_head[2].weight[0])
    assert torch.equal(session.model.stem[1][0].weight, old.stem[1][0].weight)


def test_threads_of_the_loader_end_with_the_run(data: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    train(tiny_job(data, tmp_path / "run"), StopAfter(4))
    time.sleep(0.2)
    assert threading.active_count() <= before + 1


@pytest.mark.skipif(not CAN_SHARE, reason="only Linux shares memory without a name")
def test_processes_of_the_loader_train_the_same_and_end_with_the_run(data: Path, tmp_path: Path) -> None:
    """As on a GPU."""
    config = tiny_config(epochs=3)
    train(tiny_job(data, tmp_path / "threads", config=config), Silent())
    for name, progress in (("apart", Silent()), ("cut", StopAfter(22))):
        job = tiny_job(data, tmp_path / name, config=config)
        train(replace(job, plan=replace(job.plan, worker_processes=True, workers=2)), progress)
        assert preparing() == []
    train(tiny_job(data, tmp_path / "cut", config=config), Silent())
    weights = [final_weights(tmp_path / name) for name in ("threads", "apart", "cut")]
    assert all(torch.equal(weights[0][name], w[name]) for w in weights for name in weights[0])


@pytest.mark.skipif(not CAN_SHARE, reason="only Linux shares memory without a name")
def test_processes_of_the_loader_end_with_a_run_that_fails(data: Path, tmp_path: Path) -> None:
    job = tiny_job(data, tmp_path / "run")
    for tile in job.tiles.tiles:
        tile.path.unlink()
    with pytest.raises(DatasetError, match="vanished"):
        train(replace(job, plan=replace(job.plan, worker_processes=True)), Silent())
    assert preparing() == []


def preparing() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "app.dataset.tile_worker" in p.cmdline()]
