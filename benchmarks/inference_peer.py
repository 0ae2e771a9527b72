"""YOLO11n as a worker of `benchmarks.inference`: Ultralytics' own model and suppression, in every runtime.

Runs in an environment of its own that has ultralytics, and, to be compared in them too, onnx, onnxruntime, openvino
and nncf; nothing of this project but `turns` is imported. The model comes from its description, with random weights:
speed is all that is compared.
"""

import argparse
import importlib
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.turns import Step, serve

CONFIDENCE = 0.25
INPUT, OUTPUT = "images", "answers"


def main() -> None:
    """Serve, after fixing the threads before any library starts its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--prepare", action="store_true", help="only write the files that workers open")
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": str(given.threads), "YOLO_CONFIG_DIR": str(given.work)}
    os.environ |= {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-given.threads :])
    torch = importlib.import_module("torch")
    torch.set_num_threads(given.threads)
    model = _model(given.classes)
    if given.prepare:
        for size in given.sizes:
            prepare(model, given.work, size)
        return
    steps: dict[str, Step] = {}
    for size in given.sizes:
        for name, run in _runtimes(model, given.work, size, given.threads).items():
            steps |= _steps(name, run, size, given.classes)
    serve(
        steps,
        {
            "steps": list(steps),
            "versions": _versions(),
            "parameters": sum(p.numel() for p in model.parameters()),
        },
    )


def _model(classes: int) -> Any:
    tasks = importlib.import_module("ultralytics.nn.tasks")
    model = tasks.DetectionModel("yolo11n.yaml", ch=3, nc=classes, verbose=False).eval().fuse(verbose=False)
    return model.requires_grad_(requires_grad=False)


def prepare(model: Any, work: Path, size: int) -> None:
    """Exports of one size, which is faster than any size: ONNX, and 8 bits by ONNX Runtime and by NNCF."""
    torch = importlib.import_module("torch")
    head = model.model[-1]
    head.export, head.format = True, "onnx"
    path = work / f"peer-{size}.onnx"
    example = torch.rand(1, 3, size, size)
    with torch.inference_mode():
        model(example)
        torch.onnx.export(
            model,
            (example,),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=[INPUT],
            output_names=[OUTPUT],
        )
    head.export = False
    random = [example.numpy()] * 2
    if find_spec("onnxruntime") is not None:
        _onnx_int8(path, random)
    if find_spec("nncf") is not None and find_spec("openvino") is not None:
        nncf, openvino = importlib.import_module("nncf"), importlib.import_module("openvino")
        small = nncf.quantize(openvino.Core().read_model(path), nncf.Dataset(random))
        openvino.save_model(small, work / f"peer-{size}.int8.xml", compress_to_fp16=False)


def _onnx_int8(path: Path, pictures: list[Any]) -> None:
    tool = importlib.import_module("onnxruntime.quantization")
    left = iter(pictures)

    class Feed(tool.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def get_next(self) -> dict[str, Any] | None:
            picture = next(left, None)
            return None if picture is None else {INPUT: picture}

    tool.quantize_static(
        str(path),
        str(path.with_suffix(".int8.onnx")),
        Feed(),
        op_types_to_quantize=["Conv", "Mul", "Add", "Concat"],
        per_channel=True,
        activation_type=tool.QuantType.QUInt8,
        weight_type=tool.QuantType.QInt8,
    )


def _runtimes(model: Any, work: Path, size: int, threads: int) -> dict[str, Callable[[Any], Any]]:
    """From a float array (1, 3, H, W) to answers (1, 4 + classes, places) as torch tensor."""
    torch = importlib.import_module("torch")
    deepcopy = importlib.import_module("copy").deepcopy
    plain, last = deepcopy(model), deepcopy(model).to(memory_format=torch.channels_last)

    def eager(x: Any) -> Any:
        with torch.inference_mode():
            return plain(torch.from_numpy(x))[0]

    def channels_last(x: Any) -> Any:
        with torch.inference_mode():
            return last(torch.from_numpy(x).to(memory_format=torch.channels_last))[0]

    def half(x: Any) -> Any:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            return last(torch.from_numpy(x).to(memory_format=torch.channels_last))[0].float()

    found: dict[str, Callable[[Any], Any]] = {
        "torch float32": eager,
        "torch float32 nhwc": channels_last,
        "torch bfloat16 nhwc": half,
    }
    plain_file, small_file = work / f"peer-{size}.onnx", work / f"peer-{size}.int8.onnx"
    if find_spec("onnxruntime") is not None:
        found |= {"onnx float32": _onnx(plain_file, threads), "onnx int8": _onnx(small_file, threads)}
    if find_spec("openvino") is not None:
        found |= {
            "openvino float32": _openvino(plain_file, threads, "f32"),
            "openvino bfloat16": _openvino(plain_file, threads, "bf16"),
        }
        if small_file.with_suffix(".xml").is_file():
            found["openvino int8"] = _openvino(small_file.with_suffix(".xml"), threads, "f32")
    return found


def _onnx(path: Path, threads: int) -> Callable[[Any], Any]:
    torch, onnxruntime = importlib.import_module("torch"), importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {INPUT: x})[0])


def _openvino(path: Path, threads: int, precision: str) -> Callable[[Any], Any]:
    torch, openvino = importlib.import_module("torch"), importlib.import_module("openvino")
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda x: torch.from_numpy(request.infer([x], share_inputs=True, share_outputs=True)[0])


def _steps(name: str, run: Callable[[Any], Any], size: int, classes: int) -> dict[str, Step]:
    numpy = importlib.import_module("numpy")
    suppress = importlib.import_module("ultralytics.utils.nms").non_max_suppression
    picture = numpy.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=numpy.uint8)
    ready = numpy.ascontiguousarray(picture.transpose(2, 0, 1)[None].astype(numpy.float32) / 255)

    def network() -> float:
        run(ready)
        return 1

    def whole() -> float:
        x = numpy.ascontiguousarray(picture.transpose(2, 0, 1)[None]).astype(numpy.float32) / 255
        suppress(run(x), conf_thres=CONFIDENCE, nc=classes)
        return 1

    step = name.replace(" ", "_")
    return {f"{step}|{size}|network": network, f"{step}|{size}|whole": whole}


def _versions() -> dict[str, str]:
    version = importlib.import_module("importlib.metadata").version
    names = ("ultralytics", "torch", "onnxruntime", "openvino", "nncf")
    return {name: version(name) for name in names if find_spec(name) is not None}


if __name__ == "__main__":
    main()
