"""`--batch-size auto`: what memory cannot hold at once does not count as fitting."""

import pytest
import torch

from app.dataset.tile_batches import Batch
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.errors import DeviceError
from app.training.batch_probe import measured_batch_size
from app.training.recipe import TrainConfig
from app.training.session import Session

CONFIG = TrainConfig(name="probe", size_px=64)


def give_memory_for(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that holds so many samples at once; the step itself goes on with less, as in training."""
    accumulate = Session._accumulate

    def limited(session: Session, batch: Batch) -> dict[str, float]:
        if min(session.micro.micro, len(batch.boxes)) > samples:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return accumulate(session, batch)

    monkeypatch.setattr(Session, "_accumulate", limited)


def test_a_batch_that_was_taken_in_parts_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    give_memory_for(4, monkeypatch)
    size, reason = measured_batch_size(CONFIG, plan_device(choose_device("cpu")), memory_limit=1.0)
    assert size == 4
    assert "8 ran out of memory" in reason


def test_not_one_sample_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    give_memory_for(0, monkeypatch)
    with pytest.raises(DeviceError, match="one sample of 64 px does not fit on cpu"):
        measured_batch_size(CONFIG, plan_device(choose_device("cpu")), memory_limit=1.0)
