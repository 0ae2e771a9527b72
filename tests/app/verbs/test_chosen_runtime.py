"""`--runtime`: quick, auto with its reason, names that are none; which tiles calibrate and which score."""

from pathlib import Path

import numpy as np
import pytest

from app.dataset.formats.yolo_writer import write_yolo_tiles
from app.detector.detections import Runtime
from app.errors import DatasetError, DeviceError, ModelError, SettingsError
from app.verbs.chosen_runtime import chosen_runtime
from app.verbs.stored_split import calibration_parts
from tests.app.device.fake_probe import FakeProbe

SHAPE = (1, 64, 64)


def opened(model: str, runtime: str, device: str = "cpu") -> Runtime:
    return chosen_runtime(model, runtime, device=device, threads=1, shape_BHW=SHAPE)


def test_quick_is_onnx_where_there_is_a_file_for_it(tmp_path: Path) -> None:
    assert "ONNX Runtime" in opened("shipped", "quick").description
    with pytest.raises(ModelError, match=r"gone\.onnx cannot be read"):
        opened(str(tmp_path / "gone.onnx"), "quick")


def test_quick_is_torch_for_its_own_files_and_for_other_devices(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "app/detector/weights/sonarstack.pt"
    assert "torch" in opened(str(shipped), "quick").description
    with pytest.raises(DeviceError, match="device xpu:7 is not here"):
        opened("shipped", "quick", device="xpu:7")


def test_auto_tells_what_it_measured(capsys: pytest.CaptureFixture[str]) -> None:
    runtime = opened("shipped", "auto")
    told = capsys.readouterr()
    assert told.out == ""
    assert "for an image of 64 x 64 px" in told.err
    assert "torch float32" in told.err
    assert "onnx float32" in told.err
    assert runtime.class_names == ("target", "ship", "aircraft")


def test_auto_with_a_missing_device_steps_down_only_where_allowed() -> None:
    with pytest.raises(DeviceError, match="device xpu:7 is not here"):
        opened("shipped", "auto", device="xpu:7")


@pytest.mark.parametrize("device", ["auto", "xpu:7"])
def test_where_there_is_nothing_but_a_cpu_quick_is_onnx_too(
    device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.device.choice.TorchProbe", FakeProbe)
    runtime = chosen_runtime("shipped", "quick", device=device, fallback="cpu", threads=1, shape_BHW=SHAPE)
    assert "ONNX Runtime" in runtime.description
    told = capsys.readouterr().err
    assert (
        told == ""
        if device == "auto"
        else "warning: xpu:7 is not here (cpu are): going on with the CPU" in told
    )


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_runtimes_of_the_cpu_take_it_where_any_device_will_do(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed (extra `openvino`)")
    monkeypatch.setattr("app.device.choice.TorchProbe", lambda: FakeProbe(counts={"cuda": 1}))
    assert "on cpu" in opened("shipped", runtime, device="auto").description
    with pytest.raises(DeviceError, match=f"--runtime {runtime} runs on the CPU, not on cuda:0"):
        opened("shipped", runtime, device="cuda")


def test_auto_needs_no_torch_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.verbs.chosen_runtime.find_spec", lambda _: None)
    assert "ONNX Runtime" in opened("shipped", "quick", device="auto").description


def test_unknown_name_is_refused_with_those_allowed() -> None:
    with pytest.raises(
        SettingsError, match="--runtime tflite is unknown; allowed are quick, auto, torch, onnx"
    ):
        opened("shipped", "tflite")


def made(root: Path, names: list[str]) -> Path:
    empty = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    write_yolo_tiles(((np.full((32, 32), 90, np.uint8), *empty) for _ in names), root, ("target",))
    for number, name in enumerate(names):
        for folder, suffix in (("images", ".png"), ("labels", ".txt")):
            old = root / folder / f"tile_{number:06d}{suffix}"
            if old.exists():
                old.rename(old.with_name(name + suffix))
    return root


def test_tiles_that_calibrate_share_no_minute_with_those_that_score(tmp_path: Path) -> None:
    names = [f"2024010112{minute:02d}{second:02d}" for minute in range(6) for second in (1, 9)]
    ranges, scored = calibration_parts(made(tmp_path / "set", names), "shipped")
    minutes = [{tile.path.stem[:12] for tile in part.tiles} for part in (ranges, scored)]
    assert all(minutes)
    assert not minutes[0] & minutes[1]
    with pytest.raises(DatasetError, match="a split would leak"):
        calibration_parts(made(tmp_path / "one", ["20240101120101"]), "shipped")
