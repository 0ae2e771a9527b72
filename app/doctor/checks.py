"""What is there, what is missing, and what to do about it."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.errors import SonarstackError


class State(StrEnum):
    """How a check went; only `missing` makes the doctor fail."""

    OK = "ok"
    OPTIONAL = "optional"
    """Not there, and not needed for what runs here."""
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    detail: str
    advice: str = ""


NEEDED = ("torch", "torchvision", "numpy", "opencv-python", "typer", "pydantic", "fsspec", "pyproj", "jinja2")
OPTIONAL_PACKAGES = {
    "onnxruntime": "detect --runtime onnx",
    "openvino": "detect --runtime openvino and auto, on a CPU",
    "tensorboard": "curves of a run",
    "pulumi": "stacks that rent a machine",
    "runpod": "serverless workers on Runpod",
}
OPTIONAL_PROGRAMS = {
    "uv": "faster set-up",
    "git": "a clone that can be updated",
    "make": "the short commands",
    "docker": "the container images",
    "pulumi": "pulumi up",
    "nvidia-smi": "NVIDIA's driver",
}
LEAST_FREE_GIB = 5.0


def run_checks(device: str = "auto") -> tuple[Check, ...]:
    """Look at everything; a check that fails does not keep the others from being made."""
    return (
        _python(),
        *_packages(),
        *_devices(device),
        *_model(),
        _disk(),
        *_programs(),
    )


def _python() -> Check:
    # An older Python cannot import this package: setup.sh refuses it.
    return Check(name="Python", state=State.OK, detail=sys.version.split()[0])


def _packages() -> Iterator[Check]:
    for name in NEEDED:
        # Servers have the same OpenCV without OpenGL, under another name.
        found = _version(name) or _version(f"{name}-headless")
        state = State.OK if found else State.MISSING
        yield Check(
            name=name, state=state, detail=found or "not installed", advice="" if found else "run make setup"
        )
    for name, purpose in OPTIONAL_PACKAGES.items():
        found = _version(name)
        state = State.OK if found else State.OPTIONAL
        yield Check(name=name, state=state, detail=found or f"not installed: {purpose}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices(device: str) -> Iterator[Check]:
    from app.device.choice import choose_device, present_devices
    from app.device.host_memory import host_limit_bytes
    from app.device.plan import plan_device

    yield Check(name="devices", state=State.OK, detail=", ".join(present_devices()))
    try:
        choice = choose_device(device, may_step_down=False)
        plan = plan_device(choice)
    except SonarstackError as error:
        yield Check(
            name=f"device {device}", state=State.MISSING, detail=str(error), advice="use --device auto"
        )
        return
    yield Check(
        name=f"device {device}", state=State.OK, detail=f"{choice.device} ({choice.name}): {choice.reason}"
    )
    values = {**plan.as_dict(), "channels_last": plan.as_dict()["memory_format"] == "channels_last"}
    for name, reason in plan.reasons.items():
        value = values[name]
        yield Check(name=f"  {name}", state=State.OK, detail=f"{value}: {reason}")
    memory = plan.memory_bytes or host_limit_bytes()
    yield Check(name="memory", state=State.OK, detail=f"{memory / 2**30:.1f} GiB")


def _model() -> Iterator[Check]:
    from app.detector.runtimes import load_runtime

    for runtime in ("torch", "onnx"):
        try:
            opened = load_runtime(runtime="onnx" if runtime == "onnx" else "torch")
        except SonarstackError as error:
            yield Check(
                name=f"weights ({runtime})", state=State.MISSING, detail=str(error), advice="install again"
            )
        else:
            yield Check(name=f"weights ({runtime})", state=State.OK, detail=opened.description)


def _disk() -> Check:
    from app.storage import require_writable

    here = Path()
    try:
        require_writable(here)
    except SonarstackError as error:
        return Check(
            name="disk", state=State.MISSING, detail=str(error), advice="go to a folder you may write to"
        )
    free = shutil.disk_usage(here.resolve()).free / 2**30
    if free < LEAST_FREE_GIB:
        return Check(
            name="disk", state=State.MISSING, detail=f"{free:.1f} GiB free", advice="free some space"
        )
    return Check(name="disk", state=State.OK, detail=f"{free:.0f} GiB free")


def _programs() -> Iterator[Check]:
    for name, purpose in OPTIONAL_PROGRAMS.items():
        found = shutil.which(name)
        state = State.OK if found else State.OPTIONAL
        yield Check(name=f"{name} program", state=state, detail=found or f"not found: {purpose}")
