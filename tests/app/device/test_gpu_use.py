"""The GPU's use: the library first, the driver's program second, nothing where neither answers."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from app.device.gpu_use import GpuUse, NvmlProbe, SmiProbe, gpu_probe

CUDA = torch.device("cuda", 1)
SMI = """#!/bin/sh
[ "$1" = --id=GPU-u1,GPU-u0 ] || exit 9
echo 'GPU-u0, 7, 1024, 4096'
echo 'GPU-u1, {percent}, 3072, 4096'
"""


class Nvml:
    """Stands in for the module pynvml."""

    def __init__(self, percent: dict[str, int]) -> None:
        self._percent = percent

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid not in self._percent:
            raise RuntimeError("NVML_ERROR_NOT_FOUND")
        return uuid

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=self._percent[handle], memory=0)

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=1 << 30, total=4 << 30)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: SimpleNamespace(uuid=f"u{i}"))


def smi_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, percent: str) -> Path:
    program = folder / "nvidia-smi"
    program.write_text(SMI.replace("{percent}", percent))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return program


def test_the_gpu_trained_on_comes_first(two_gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml({"GPU-u0": 7, "GPU-u1": 93}))
    probe, why = gpu_probe(CUDA)
    assert isinstance(probe, NvmlProbe)
    assert why == ""
    assert probe.read() == (
        GpuUse(percent=93.0, memory_percent=25.0),
        GpuUse(percent=7.0, memory_percent=25.0),
    )


def test_nvidia_smi_where_the_library_fails(
    two_gpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    smi_on_path(tmp_path, monkeypatch, "93")
    probe, _ = gpu_probe(CUDA)
    assert isinstance(probe, SmiProbe)
    assert [use.percent for use in probe.read()] == [93.0, 7.0]
    assert probe.read()[0].memory_percent == 75.0


def test_figures_that_are_none_are_said_once(
    two_gpus: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Nvml({}))
    smi_on_path(tmp_path, monkeypatch, "[N/A]")  # what nvidia-smi prints under MIG
    probe, why = gpu_probe(CUDA)
    assert probe is None
    assert why == "the GPU's use cannot be read (nvml: RuntimeError, smi: ValueError)"


@pytest.mark.parametrize("kind", ["cpu", "mps", "xpu"])
def test_other_devices_have_no_figure_and_no_complaint(kind: str) -> None:
    assert gpu_probe(torch.device(kind)) == (None, "")


@pytest.mark.gpu
def test_a_real_gpu_answers(device_request: str) -> None:
    if torch.device(device_request if device_request != "auto" else "cpu").type != "cuda":
        pytest.skip("needs --device cuda")
    probe, why = gpu_probe(torch.device(device_request))
    assert probe is not None, why
    assert 0 <= probe.read()[0].percent <= 100
