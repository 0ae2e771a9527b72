"""Taking up a run: what it keeps of its beginning."""

from dataclasses import replace

import torch

from app.device.choice import choose_device
from app.device.plan import plan_device
from app.training.job import plan_as_begun
from tests.app.device.fake_probe import FakeProbe


def test_run_keeps_its_number_format_on_the_same_cpu() -> None:
    """The measurement that chose it may fall out otherwise the next time, and the weights would differ."""
    probe = FakeProbe(cpu=frozenset({"avx512_bf16"}), half_gflop_s=70.0)
    choice = choose_device("cpu", probe=probe)
    began = plan_device(choice, probe=probe)
    assert began.dtype is torch.float32
    probe = replace(probe, half_gflop_s=80.0)
    now = plan_device(choice, probe=probe)
    assert now.dtype is torch.bfloat16
    record = {"device_plan": began.as_dict()}
    assert plan_as_begun(now, record).dtype is torch.float32
    assert plan_as_begun(replace(now, name="another CPU"), record).dtype is torch.bfloat16
    assert plan_as_begun(plan_device(choice, probe=probe, dtype="bfloat16"), record).dtype is torch.bfloat16
    assert plan_as_begun(now, {}).dtype is torch.bfloat16
