"""From a name, a file or a run to something that detects; torch is imported only where it is asked for."""

from pathlib import Path
from typing import Literal

from app.detector.detections import Runtime
from app.errors import DeviceError, ModelError

RuntimeKind = Literal["torch", "onnx", "openvino", "tensorrt"]
SHIPPED = "shipped"
WEIGHTS = Path(__file__).parent / "weights"
SUFFIXES: dict[RuntimeKind, str] = {"torch": ".pt", "onnx": ".onnx", "openvino": ".onnx", "tensorrt": ".onnx"}
INT8_SUFFIX = ".int8.onnx"
"""Of the 8-bit network beside its model, which `app export --int8` wrote."""


def load_runtime(
    model: str | Path = SHIPPED,
    *,
    runtime: RuntimeKind = "torch",
    device: str = "cpu",
    fallback: str | None = None,
    dtype: str | None = None,
    threads: int | None = None,
) -> Runtime:
    """Open a trained network.

    Args:
        model: `shipped` for the project's own weights, a model file, or the folder of a run.
        runtime: `torch` on any device, `onnx` or `openvino` on the CPU without importing torch, or `tensorrt` on
            an NVIDIA GPU.
        device: see `choose_device`; ONNX Runtime and OpenVINO take `cpu` and `auto`.
        fallback: see `choose_device`.
        dtype: number format; None takes the device plan's for torch, float32 for OpenVINO, which knows bfloat16
            too. ONNX Runtime takes the file's.
        threads: threads of one operation; None takes the device plan's, or all cores.

    Raises:
        ModelError: no such file, damaged, or of the other kind.
        DeviceError: the device or the runtime is not there, or the runtime cannot compute on it.
    """
    path = model_path(model, runtime)
    if runtime in ("onnx", "openvino"):
        if device not in ("cpu", "auto"):
            raise DeviceError(
                f"--runtime {runtime} runs on the CPU, not on {device}; use --device cpu, or --runtime torch"
            )
        if runtime == "onnx":
            from app.detector.onnx_runtime import OnnxRuntime

            return OnnxRuntime(path, threads=threads)
        from app.detector.openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime(path, threads=threads, precision="bf16" if dtype == "bfloat16" else "f32")
    if runtime == "tensorrt":
        return _tensorrt(path, device, dtype)
    from app.detector.torch_runtime import TorchRuntime
    from app.device.choice import choose_device
    from app.device.plan import plan_device

    plan = plan_device(choose_device(device, fallback=fallback), dtype=dtype, threads=threads)
    plan.apply()
    return TorchRuntime.from_file(path, plan=plan)


def _tensorrt(path: Path, device: str, dtype: str | None) -> Runtime:
    from app.detector.tensorrt_runtime import TensorRtRuntime

    kind, _, number = device.partition(":")
    if kind not in ("cuda", "auto"):
        raise DeviceError(f"--runtime tensorrt runs on an NVIDIA GPU, not on {device}; use --device cuda")
    return TensorRtRuntime(
        path,
        cache=path.parent / "tensorrt",
        device=int(number or 0),
        precision="float32" if dtype == "float32" else "float16",
    )


def model_path(model: str | Path, runtime: RuntimeKind) -> Path:
    """The file that a model's name means to a runtime.

    Raises:
        ModelError: there is none, or it is of the other kind.
    """
    suffix = SUFFIXES[runtime]
    if str(model) == SHIPPED:
        path = WEIGHTS / f"sonarstack{suffix}"
        if not path.is_file():
            raise ModelError(f"the shipped weights are missing ({path}); install again, or give --model")
        return path
    path = Path(model)
    if path.is_dir():
        return _model_of_run(path, suffix)
    other = next((kind for kind, end in SUFFIXES.items() if end == path.suffix), None)
    if other is not None and SUFFIXES[other] != suffix:
        raise ModelError(
            f"{path} is a model for --runtime {other}, not {runtime}; use --runtime {other}"
            + (", or export it with `python -m app export`" if suffix == ".onnx" else "")
        )
    return path


def _model_of_run(run: Path, suffix: str) -> Path:
    path = run / "model" / f"best{suffix}"
    if not path.is_file():
        advice = "give the folder of a finished training"
        if path.with_suffix(".pt").is_file():
            advice = "export it with `python -m app export`, or use --runtime torch"
        raise ModelError(f"{run} holds no model/best{suffix}; {advice}")
    return path
