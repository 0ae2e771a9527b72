"""Which device is chosen, and what is said where it is missing."""

import pytest
import torch

from app.device.choice import TorchProbe, choose_device, present_devices
from app.errors import DeviceError
from tests.app.device.fake_probe import FakeProbe


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, "cpu"),
        ({"cuda": 1, "mps": 1, "xpu": 1}, "cuda"),
        ({"mps": 1, "xpu": 1}, "mps"),
        ({"xpu": 1}, "xpu"),
    ],
)
def test_auto_takes_the_first_that_is_there(counts: dict[str, int], expected: str) -> None:
    choice = choose_device("auto", probe=FakeProbe(counts=counts))
    assert choice.device.type == expected
    assert "first available" in choice.reason


def test_reason_names_what_was_passed_over() -> None:
    assert "(cuda, mps, xpu not available)" in choose_device("auto", probe=FakeProbe()).reason


def test_second_gpu_can_be_named() -> None:
    choice = choose_device("cuda:1", probe=FakeProbe(counts={"cuda": 2}))
    assert choice.device == torch.device("cuda", 1)


def test_missing_device_lists_what_there_is_and_what_to_do() -> None:
    with pytest.raises(
        DeviceError, match=r"cuda is not here; this machine has mps, cpu; .*--fallback cpu"
    ) as caught:
        choose_device("cuda", probe=FakeProbe(counts={"mps": 1}))
    assert "\n" not in str(caught.value)


def test_a_caller_without_the_option_does_not_advise_it() -> None:
    with pytest.raises(DeviceError, match=r"give one of them, or auto$"):
        choose_device("cuda", probe=FakeProbe(), may_step_down=False)


def test_index_beyond_the_last_is_missing() -> None:
    with pytest.raises(DeviceError, match=r"cuda:2 is not here; this machine has cuda:0, cuda:1, cpu"):
        choose_device("cuda:2", probe=FakeProbe(counts={"cuda": 2}))


def test_fallback_goes_on_with_a_warning() -> None:
    choice = choose_device("cuda", fallback="cpu", probe=FakeProbe())
    assert choice.device.type == "cpu"
    assert "many times slower" in choice.warnings[0]


def test_fallback_is_not_used_where_the_device_is_there() -> None:
    choice = choose_device("cuda", fallback="cpu", probe=FakeProbe(counts={"cuda": 1}))
    assert choice.device.type == "cuda"
    assert choice.warnings == ()


def test_xpu_is_said_to_be_experimental() -> None:
    assert "experimental" in choose_device("xpu", probe=FakeProbe(counts={"xpu": 1})).warnings[0]


@pytest.mark.parametrize("request_text", ["gpu", "cuda:x", "cuda:-1", "auto:1", ""])
def test_unknown_names_are_refused_with_the_allowed_ones(request_text: str) -> None:
    with pytest.raises(DeviceError, match="allowed are auto, cuda, mps, xpu, cpu"):
        choose_device(request_text, probe=FakeProbe())


def test_this_machine_has_a_cpu() -> None:
    assert "cpu" in present_devices()
    assert choose_device("cpu").name
    assert isinstance(TorchProbe().cpu_capabilities(), frozenset)


def test_device_under_test_can_be_chosen(device_request: str) -> None:
    choice = choose_device(device_request)
    assert torch.zeros(2, device=choice.device).sum().item() == 0
