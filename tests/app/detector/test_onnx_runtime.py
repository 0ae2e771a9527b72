"""The runtime without torch: same answers, no torch, one line for what is no model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from app.detector.export import export_onnx
from app.detector.onnx_runtime import OnnxRuntime, open_session
from app.detector.runtimes import load_runtime, model_path
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.errors import DeviceError, ModelError
from tests.app.detector.test_export import CARD, lively_model

FLOAT32 = plan_device(choose_device("cpu"), dtype="float32")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "best.onnx"
    export_onnx(lively_model(), path, card=CARD)
    return path


def images(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)


def test_finds_what_torch_finds(model_file: Path) -> None:
    batch = images(3, 96, 64)
    ours = OnnxRuntime(model_file, threads=1).detect(batch, min_score=0.4)
    torchs = TorchRuntime(lively_model(), plan=FLOAT32).detect(batch, min_score=0.4)
    assert sum(len(d) for d in ours) > 3
    for one, other in zip(ours, torchs, strict=True):
        assert one.labels.tolist() == other.labels.tolist()
        assert one.boxes_xyxy_px == pytest.approx(other.boxes_xyxy_px, abs=0.01)
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_tells_its_classes_and_itself(model_file: Path) -> None:
    runtime = OnnxRuntime(model_file, threads=2)
    assert runtime.class_names == ("target", "ship")
    assert runtime.card["figures"] == {"ap50": 0.5}
    assert runtime.description.startswith("small, ONNX Runtime ")
    assert runtime.description.endswith("on cpu, 2 threads")


def test_no_images_give_no_detections(model_file: Path) -> None:
    assert OnnxRuntime(model_file, threads=1).detect(images(0, 64, 64), min_score=0.1) == []


def test_size_that_does_not_fit_is_told(model_file: Path) -> None:
    with pytest.raises(ValueError, match="images of 64 x 50 px: height and width must be multiples of 32"):
        OnnxRuntime(model_file, threads=1).detect(images(1, 64, 50), min_score=0.1)


def test_torch_is_never_imported(model_file: Path) -> None:
    program = (
        "import sys, numpy as np; from app.detector.runtimes import load_runtime; "
        f"r = load_runtime({str(model_file)!r}, runtime='onnx', threads=1); "
        "r.detect(np.zeros((1, 64, 64), np.uint8), min_score=0.3); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'torchvision')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def stranger(**metadata: str) -> bytes:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a readable ONNX file"),
        (b"hello", "is not a readable ONNX file"),
        (stranger(), "was not exported by sonarstack; export one with `python -m app export`"),
        (stranger(format="sonarstack-onnx", version="9"), "has export format 9, this program reads 2"),
    ],
)
def test_anything_else_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        OnnxRuntime(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_failure_while_running_is_raised_and_not_logged_too(capfd: pytest.CaptureFixture[str]) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy"]
    shape = numpy_helper.from_array(np.array([2]), "two")
    node = helper.make_node("Reshape", ["x", "two"], ["y"])
    graph = helper.make_graph([node], "g", values[:1], values[1:], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), Path("m.onnx"))
    with pytest.raises(Exception, match="cannot be reshaped"):
        session.run(None, {"x": np.zeros(3, np.float32)})
    assert capfd.readouterr() == ("", "")


def test_file_cut_short_is_refused(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_file.read_bytes()[:-2000])
    with pytest.raises(ModelError, match=r"is not a readable ONNX file|was not exported"):
        OnnxRuntime(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx cannot be read .*; check the path"):
        load_runtime(tmp_path / "none.onnx", runtime="onnx")


def test_model_of_the_other_kind_says_which_runtime_fits(model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a model for --runtime onnx, not torch; use --runtime onnx"):
        load_runtime(model_file)
    with pytest.raises(ModelError, match=r"is a model for --runtime torch, not onnx; .* app export"):
        load_runtime(tmp_path / "best.pt", runtime="onnx")


def test_run_folder_stands_for_its_model(model_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    with pytest.raises(
        ModelError, match=r"holds no model/best\.onnx; give the folder of a finished training"
    ):
        model_path(run, "onnx")
    (run / "model" / "best.pt").touch()
    with pytest.raises(ModelError, match=r"holds no model/best\.onnx; export it with"):
        model_path(run, "onnx")
    (run / "model" / "best.onnx").write_bytes(model_file.read_bytes())
    assert load_runtime(run, runtime="onnx", threads=1).class_names == ("target", "ship")


def test_onnx_on_another_device_is_refused(model_file: Path) -> None:
    with pytest.raises(DeviceError, match="--runtime onnx runs on the CPU, not on cuda; use --device cpu"):
        load_runtime(model_file, runtime="onnx", device="cuda")


def test_shipped_weights_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("app.detector.runtimes.WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match="the shipped weights are missing"):
        load_runtime()


def test_graph_is_valid_onnx(model_file: Path) -> None:
    onnx.checker.check_model(onnx.load(model_file), full_check=True)
