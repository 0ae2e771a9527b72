"""How each kind of device is used, and why."""

import pytest
import torch

from app.device.choice import choose_device
from app.device.convolution_rate import convolution_flop_s
from app.device.manager import DeviceManager
from app.device.plan import DevicePlan, plan_device
from app.device.shared_bytes import CAN_SHARE
from app.errors import SettingsError
from tests.app.device.fake_probe import FakeProbe


def plan_for(kind: str, **probe: object) -> DevicePlan:
    fake = FakeProbe(counts={kind: 1}, **probe)  # type: ignore[arg-type]
    return plan_device(choose_device(kind, probe=fake), probe=fake)


@pytest.mark.parametrize(
    ("name", "capability", "dtype", "scaler", "tf32"),
    [
        ("V100", (7, 0), torch.float16, True, False),
        ("T4", (7, 5), torch.float16, True, False),
        ("A100", (8, 0), torch.bfloat16, False, True),
        ("RTX 4090", (8, 9), torch.bfloat16, False, True),
        ("H100", (9, 0), torch.bfloat16, False, True),
        ("P100", (6, 0), torch.float32, False, False),
    ],
)
def test_nvidia_generations(
    name: str, capability: tuple[int, int], dtype: torch.dtype, scaler: bool, tf32: bool
) -> None:
    plan = plan_for("cuda", capability=capability)
    assert (plan.dtype, plan.grad_scaler, plan.tf32) == (dtype, scaler, tf32)
    assert plan.pin_memory
    assert plan.memory_format is torch.channels_last
    assert ".".join(map(str, capability)) in plan.reasons["dtype"]


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        (frozenset(), torch.float32),
        (frozenset({"avx2", "avx512_f"}), torch.float32),
        (frozenset({"avx512_bf16"}), torch.bfloat16),
        (frozenset({"amx_bf16", "avx512_bf16"}), torch.bfloat16),
    ],
)
def test_cpus(capabilities: frozenset[str], dtype: torch.dtype) -> None:
    plan = plan_for("cpu", cpu=capabilities)
    assert plan.dtype is dtype
    assert not plan.pin_memory
    assert not plan.grad_scaler
    assert plan.memory_bytes is None


def test_a_cpu_whose_bf16_is_slower_than_it_lists_computes_in_float32() -> None:
    slow = plan_for("cpu", cpu=frozenset({"avx512_bf16"}), half_gflop_s=55.0)
    assert slow.dtype is torch.float32
    assert "55 GFLOP/s against 100" in slow.reasons["dtype"]
    nearly = plan_for("cpu", cpu=frozenset({"avx512_bf16"}), half_gflop_s=90.0)
    assert nearly.dtype is torch.bfloat16  # the rest of a step is bound by memory
    tiles = plan_for("cpu", cpu=frozenset({"amx_bf16", "avx512_bf16"}), half_gflop_s=55.0)
    assert tiles.dtype is torch.bfloat16


def test_the_rate_is_measured_once_and_leaves_the_threads_alone() -> None:
    threads = torch.get_num_threads()
    rate = convolution_flop_s(torch.float32)
    assert 1e8 < rate < 1e13
    assert convolution_flop_s(torch.float32) == rate
    assert torch.get_num_threads() == threads


def test_apple_and_intel() -> None:
    mps, xpu = plan_for("mps"), plan_for("xpu")
    assert (mps.dtype, mps.memory_format) == (torch.float32, torch.contiguous_format)
    assert xpu.dtype is torch.bfloat16
    assert xpu.autocast
    assert not mps.autocast


def test_every_decision_has_a_reason() -> None:
    plan = plan_for("cuda")
    for name in (
        "dtype",
        "channels_last",
        "threads",
        "workers",
        "tf32",
        "compile",
        "grad_scaler",
        "worker_processes",
    ):
        assert plan.reasons[name]


def test_processes_prepare_for_accelerators_and_a_thread_for_the_cpu() -> None:
    assert plan_for("cuda").worker_processes == plan_for("mps").worker_processes == CAN_SHARE
    assert not plan_for("cpu").worker_processes


def test_overrides_win_and_say_so() -> None:
    fake = FakeProbe(counts={"cuda": 1})
    plan = plan_device(choose_device("cuda", probe=fake), probe=fake, dtype="float32", workers=3, tf32=None)
    assert plan.dtype is torch.float32
    assert plan.workers == 3
    assert plan.reasons["workers"] == "set by the user"
    assert plan.tf32


def test_bad_overrides_are_refused() -> None:
    choice = choose_device("cpu", probe=FakeProbe())
    with pytest.raises(
        SettingsError, match=r"dtype='int8' is unknown; allowed are float32, bfloat16, float16"
    ):
        plan_device(choice, probe=FakeProbe(), dtype="int8")
    with pytest.raises(SettingsError, match="device setting turbo is unknown"):
        plan_device(choice, probe=FakeProbe(), turbo=True)


def test_plan_is_plain_in_json() -> None:
    plain = plan_for("cpu").as_dict()
    assert plain["dtype"] == "float32"
    assert plain["memory_format"] == "channels_last"


def test_manager_is_the_choice_and_the_plan() -> None:
    manager = DeviceManager("cpu")
    assert manager.device.type == "cpu"
    assert manager.reason
    assert manager.memory().host_used_mib > 0
    with manager.autocast():
        assert torch.ones(2).sum() == 2
