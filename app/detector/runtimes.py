"""From a name, a file or a run to something that detects; torch is imported only where it is asked for."""

from pathlib import Path
from typing import Literal

from app.detector.detections import Runtime
from app.errors import DeviceError, ModelError

RuntimeKind = Literal["torch", "onnx"]
SHIPPED = "shipped"
WEIGHTS = Path(__file__).parent / "weights"
SUFFIXES: dict[RuntimeKind, str] = {"torch": ".pt", "onnx": ".onnx"}


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
        runtime: `torch` on any device, or `onnx` on the CPU without importing torch.
        device: see `choose_device`; ONNX Runtime takes `cpu` and `auto`.
        fallback: see `choose_device`.
        dtype: number format for torch; None takes the device plan's.
        threads: threads of one operation; None takes the device plan's, or all cores.

    Raises:
        ModelError: no such file, damaged, or of the other kind.
        DeviceError: the device is not there, or ONNX Runtime is asked for another one than the CPU.
    """
    path = model_path(model, runtime)
    if runtime == "onnx":
        if device not in ("cpu", "auto"):
            raise DeviceError(
                f"--runtime onnx runs on the CPU, not on {device}; use --device cpu, or --runtime torch"
            )
        from app.detector.onnx_runtime import OnnxRuntime

        return OnnxRuntime(path, threads=threads)
    from app.detector.torch_runtime import TorchRuntime
    from app.device.choice import choose_device
    from app.device.plan import plan_device

    plan = plan_device(choose_device(device, fallback=fallback), dtype=dtype, threads=threads)
    plan.apply()
    return TorchRuntime.from_file(path, plan=plan)


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
    other = next((kind for kind, end in SUFFIXES.items() if end == path.suffix and kind != runtime), None)
    if other is not None:
        raise ModelError(
            f"{path} is a model for --runtime {other}, not {runtime}; use --runtime {other}"
            + (", or export it with `python -m app export`" if runtime == "onnx" else "")
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
