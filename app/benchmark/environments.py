"""MultiEnvironmentBenchmark: every device of this machine with the project's own work, and what that costs."""

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.benchmark.rates import Rates, best_seconds, measure_rates
from app.dataset.tile_batches import Batch
from app.detector.export import export_onnx
from app.detector.fastest import candidates, choose
from app.detector.model_file import ModelCard, write_model
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import DeviceChoice, choose_device, present_devices
from app.device.memory import peak_memory
from app.device.plan import DevicePlan, plan_device
from app.telemetry.progress import Progress, Silent
from app.training.recipe import TrainConfig, baseline
from app.training.session import Session

TILE_PX = 256
INFERENCE_BATCH = 8
EPOCH_IMAGES = 10_000
"""What an epoch is taken as where the price is given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeResult:
    """The detector's own inference by one runtime."""

    runtime: str
    """Name and number format, such as `openvino float32`."""
    ms_per_image: float | None
    """From pixels to boxes, batches of 8 tiles of 256 px; None where it could not be measured."""
    images_per_s: float | None
    usd_per_1000_images: float | None
    note: str
    """Why it could not be measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceResult:
    """One device."""

    device: str
    name: str
    dtype: str
    rates: Rates
    train_images_per_s: float
    """The detector's own training step, tiles of 256 x 256 px in memory."""
    inference_images_per_s: float
    """By torch in the format above; other runtimes are in `runtimes`."""
    runtimes: tuple[RuntimeResult, ...]
    """Every runtime present for this device, the fastest first."""
    batch_size: int
    peak_memory_mib: float
    """Of a training step; on a CPU of the whole process."""
    usd_per_1000_images: float | None
    """Of training, at the price given."""
    usd_per_epoch: float | None
    """Of `EPOCH_IMAGES` images."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class MultiEnvironmentBenchmark:
    """Measures devices one after another with the same work."""

    def __init__(
        self,
        devices: tuple[str, ...] | None = None,
        *,
        price_usd_per_h: float | None = None,
        quick: bool = False,
    ) -> None:
        """Args: `devices` None measures every device present; `quick` takes a few seconds a device instead of 20.

        Raises:
            DeviceError: a named device is not there.
        """
        names = devices or tuple(present_devices())
        self._choices = [choose_device(name, may_step_down=False) for name in names]
        self._price_usd_per_h = price_usd_per_h
        self._budget_s = 4.0 if quick else 20.0

    def run(self, progress: Progress | None = None) -> tuple[DeviceResult, ...]:
        """Measure; a device that fails half-way fails the call."""
        progress = progress or Silent()
        progress.start("measuring", len(self._choices))
        results = []
        for choice in self._choices:
            results.append(self._measure(choice))
            progress.advance(1, str(choice.device))
        progress.done()
        return tuple(results)

    def _measure(self, choice: DeviceChoice) -> DeviceResult:
        plan = plan_device(choice)
        plan.apply()
        rates = measure_rates(plan, budget_s=self._budget_s * 0.4)
        config = baseline()
        train_rate, peak_mib, session = _train_rate(config, plan, self._budget_s * 0.4)
        runtime = TorchRuntime(session.model, plan=plan, name="detector")
        images = np.zeros((INFERENCE_BATCH, TILE_PX, TILE_PX), dtype=np.uint8)
        seconds = best_seconds(
            lambda: runtime.detect(images, min_score=0.5), plan.device, self._budget_s * 0.2
        )
        usd_per_image = None if self._price_usd_per_h is None else self._price_usd_per_h / 3600 / train_rate
        return DeviceResult(
            device=str(plan.device),
            name=plan.name,
            dtype=str(plan.dtype).removeprefix("torch."),
            rates=rates,
            train_images_per_s=train_rate,
            inference_images_per_s=INFERENCE_BATCH / seconds,
            runtimes=self._runtimes(session, plan),
            batch_size=config.batch_size,
            peak_memory_mib=peak_mib,
            usd_per_1000_images=None if usd_per_image is None else usd_per_image * 1000,
            usd_per_epoch=None if usd_per_image is None else usd_per_image * EPOCH_IMAGES,
        )

    def _runtimes(self, session: Session, plan: DevicePlan) -> tuple[RuntimeResult, ...]:
        """The network as trained so far, exported and run by whatever is here; speed does not depend on weights."""
        shape = (INFERENCE_BATCH, TILE_PX, TILE_PX)
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            (run / "model").mkdir(parents=True)
            card = ModelCard(name="detector")
            with (run / "model" / "best.pt").open("wb") as stream:
                write_model(stream, session.model, card)
            export_onnx(session.model, run / "model" / "best.onnx", card=card)
            among = candidates(run, device=str(plan.device), threads=plan.threads)
            measured = choose(among, shape_BHW=shape, budget_s=self._budget_s * 0.2, compare=False).measured
        return tuple(
            RuntimeResult(
                runtime=m.name,
                ms_per_image=m.ms_per_image,
                images_per_s=None if m.ms_per_image is None else 1000 / m.ms_per_image,
                usd_per_1000_images=None
                if m.ms_per_image is None or self._price_usd_per_h is None
                else self._price_usd_per_h / 3600 * m.ms_per_image,
                note=m.note,
            )
            for m in measured
        )


def _train_rate(config: TrainConfig, plan: DevicePlan, budget_s: float) -> tuple[float, float, Session]:
    """Images a second over whole steps (not the best one), peak memory in MiB, and the session."""
    session = Session(config, ("target",), plan, total_steps=10_000)
    rng = np.random.default_rng(0)
    box = np.array([[60, 60, 100, 95]], dtype=np.float32)
    batch = Batch(
        images_B1HW=rng.integers(0, 256, (config.batch_size, 1, TILE_PX, TILE_PX), dtype=np.uint8),
        boxes=[box] * config.batch_size,
        labels=[np.zeros(1, dtype=np.int64)] * config.batch_size,
    )
    session.step(batch)
    steps, started = 0, time.perf_counter()
    with peak_memory(plan.device) as peak:
        while steps < 3 or time.perf_counter() - started < budget_s:
            session.step(batch)
            steps += 1
    elapsed = time.perf_counter() - started
    return steps * config.batch_size / elapsed, peak.bytes / 2**20, session
