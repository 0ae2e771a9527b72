"""Training and detection on devices that are not there: nothing is mixed up, and a step waits for its device once."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.dataset.cache import PixelCache
from app.detector.network import DetectorConfig, SidescanTargetDetector
from app.detector.torch_runtime import TorchRuntime
from app.exit_codes import ExitCode
from app.training.batches import recipe_batches
from app.training.checkpoint import Checkpoint
from app.training.job import TrainJob
from app.training.loop import train
from app.training.session import Session
from tests.app.device.pretended_gpu import PretendedGpu, pretended_gpu
from tests.app.training.made_run import Notes, cpu_plan, tiny_job, write_squares

KINDS = ("cuda", "mps", "xpu")
STEPS = 3


@pytest.fixture
def job(tmp_path: Path) -> TrainJob:
    return tiny_job(write_squares(tmp_path / "data"), tmp_path / "run")


def losses(job: TrainJob, session: Session, first: int = 0) -> list[float]:
    """Of a few steps."""
    batches = recipe_batches(job.config, job.tiles, PixelCache(job.tiles), job.split.train)
    numbers = [number % len(batches) for number in range(first, first + STEPS)]
    return [session.step(batches.batch(0, number))["loss"] for number in numbers]


def on(gpu: PretendedGpu, job: TrainJob) -> TrainJob:
    return replace(
        job, plan=replace(job.plan, device=gpu.device, pin_memory=gpu.device.type == "cuda", workers=2)
    )


def session_of(job: TrainJob, checkpoint: Checkpoint | None = None) -> Session:
    return Session(job.config, job.tiles.class_names, job.plan, total_steps=10, checkpoint=checkpoint)


def written(session: Session) -> bytes:
    stream = io.BytesIO()
    session.write_checkpoint(stream)
    return stream.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_cpus_and_waits_once(job: TrainJob, kind: str) -> None:
    expected = losses(job, session_of(job))
    with pretended_gpu(kind) as gpu:
        session = session_of(on(gpu, job))
        before = gpu.waits
        assert losses(job, session) == pytest.approx(expected, rel=1e-4)
        assert gpu.waits - before == STEPS


def test_fp16_waits_once_more_for_its_overflow(job: TrainJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "torch.amp.grad_scaler.torch.cuda.amp.common.amp_definitely_not_available", lambda: False
    )
    with pretended_gpu("cuda") as gpu:
        here = on(gpu, job)
        session = session_of(replace(here, plan=replace(here.plan, grad_scaler=True)))
        assert session.scaler.is_enabled()
        before = gpu.waits
        losses(job, session)
        assert gpu.waits - before == 2 * STEPS


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_goes_on_there_and_here(job: TrainJob, kind: str) -> None:
    begun = session_of(job)
    losses(job, begun)
    content = written(begun)
    expected = losses(job, begun, STEPS)
    with pretended_gpu(kind) as gpu:
        there = session_of(on(gpu, job), Checkpoint.read(content, "step", gpu.device))
        assert losses(job, there, STEPS) == pytest.approx(expected, rel=1e-4)
        content = written(there)
    here = session_of(job, Checkpoint.read(content, "step", torch.device("cpu")))
    assert losses(job, here, 2 * STEPS) == pytest.approx(losses(job, begun, 2 * STEPS), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_run(job: TrainJob, kind: str) -> None:
    progress = Notes()
    with pretended_gpu(kind) as gpu:
        outcome = train(on(gpu, job), progress)
    assert outcome.code is ExitCode.DONE
    assert job.run.best_model.is_file()
    assert [note.partition(":")[0] for note in progress.notes if note.startswith("epoch")] == [
        "epoch 1",
        "epoch 2",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_detection_answers_as_the_cpu(kind: str) -> None:
    torch.manual_seed(0)
    model = SidescanTargetDetector(DetectorConfig(class_names=("target",)))
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96), dtype=np.uint8)
    expected = TorchRuntime(model, plan=cpu_plan()).detect(images, min_score=0.001)
    with pretended_gpu(kind) as gpu:
        found = TorchRuntime(model, plan=replace(cpu_plan(), device=gpu.device)).detect(
            images, min_score=0.001
        )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.boxes_xyxy_px, other.boxes_xyxy_px, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4)


def test_the_pretended_gpu_minds_what_a_real_one_minds() -> None:
    with pretended_gpu("mps") as gpu:
        there = torch.ones(3).to(gpu.device)
        assert there.device == gpu.device
        assert torch.zeros_like(there).device == gpu.device
        with pytest.raises(RuntimeError, match="expected all tensors to be on the same device"):
            there + torch.ones(3)
        with pytest.raises(TypeError, match="can't convert mps:0 device type tensor to numpy"):
            there.numpy()
        with pytest.raises(TypeError, match="float64"):
            there.to(torch.float64)
        assert gpu.waits == 0
        assert (there * 2).cpu().numpy().tolist() == [2, 2, 2]
        assert float(there.sum()) == 3
        assert there.tolist() == [1, 1, 1]
        assert gpu.waits == 3
        there[:2].zero_()
        assert there.tolist() == [0, 0, 1]
