"""What `--runtime` means, for the verbs that run a trained network."""

from importlib.util import find_spec
from typing import get_args

from app.detector.detections import Runtime
from app.detector.runtimes import RuntimeKind, load_runtime, model_path
from app.errors import ModelError, SettingsError
from app.verbs.console import warn

QUICK, AUTO = "quick", "auto"
ON_CPU_ALONE: tuple[RuntimeKind, ...] = ("onnx", "openvino")
CHOICES = (QUICK, AUTO, *get_args(RuntimeKind))


def chosen_runtime(
    model: str,
    runtime: str,
    *,
    device: str,
    fallback: str | None = None,
    threads: int | None = None,
    shape_BHW: tuple[int, int, int],
) -> Runtime:
    """Open a model as asked; `auto` tells on standard error what it measured.

    Args:
        runtime: one of `CHOICES`. `quick` is ONNX Runtime on the CPU where the model has a file for it, which
            starts in a third of torch's time; torch everywhere else.
        device: see `load_runtime`.
        fallback: see `load_runtime`; taking it is told on standard error.
        threads: see `load_runtime`.
        shape_BHW: batch and size of the pictures to come, for `auto`.

    Raises:
        SettingsError: `runtime` is no such choice.
        ModelError: see `load_runtime`.
        DeviceError: see `load_runtime`.
    """
    require_choice(runtime)
    if device == "auto" and runtime in ON_CPU_ALONE:
        device = "cpu"
    device = _present(device, fallback)
    if runtime == AUTO:
        from app.detector.fastest import fastest_runtime

        fastest = fastest_runtime(model, device=device, threads=threads, shape_BHW=shape_BHW)
        warn(f"runtime: {fastest.reason}")
        return fastest.runtime
    kind = next((k for k in get_args(RuntimeKind) if k == runtime), None) or _quick(model, device)
    return load_runtime(model, runtime=kind, device=device, threads=threads)


def require_choice(runtime: str) -> None:
    """Refuse what is no choice, before anything is read.

    Raises:
        SettingsError: it is none.
    """
    if runtime not in CHOICES:
        raise SettingsError(f"--runtime {runtime} is unknown; allowed are {', '.join(CHOICES)}")


def is_on_cpu(network: Runtime, device: str) -> bool:
    """Whether a network computes on the CPU, so that tiles are dealt to its cores.

    Args:
        device: as it was asked for; `auto` may have come to the CPU.
    """
    return device == "cpu" or "on cpu" in network.description


def _quick(model: str, device: str) -> RuntimeKind:
    if device != "cpu":
        return "torch"
    try:
        path = model_path(model, "onnx")
    except ModelError:
        return "torch"
    return "onnx" if path.suffix == ".onnx" else "torch"


def _present(device: str, fallback: str | None) -> str:
    """The device meant by `auto`, or that stands in for one that is missing."""
    if device == "cpu" or (
        device == "auto" and find_spec("torch") is None
    ):  # as in the image that only detects
        return "cpu"
    from app.device.choice import choose_device

    choice = choose_device(device, fallback=fallback)
    for warning in choice.warnings:
        warn(f"warning: {warning}")
    return str(choice.device)
