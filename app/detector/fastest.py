"""Which runtime is the fastest here: those present are compared with torch and then timed, for about a second.

Nothing is remembered: what else the machine does changes from call to call, and a second is cheap.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.detector.detections import Detections, Runtime
from app.detector.nms import pairwise_iou
from app.detector.runtimes import INT8_SUFFIX, SHIPPED, RuntimeKind, load_runtime, model_path
from app.errors import ModelError, SonarstackError

BUDGET_S = 1.0
COMPARED = 20
"""Best detections of a picture that another runtime must find too."""
LEAST_FOUND = 0.9
LEAST_IOU = 0.7
MOST_SCORE_DIFFERENCE = {"float32": 0.005, "16 bits": 0.05, "int8": 0.15}
"""An 8-bit network's loss was measured when it was exported; this finds CPUs that compute it wrongly."""
MOST_INT8_LOSS = 0.005
"""AP50 that an 8-bit network may have lost to be a candidate at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A runtime that could be here."""

    name: str
    precision: str
    """A key of `MOST_SCORE_DIFFERENCE`."""
    open: Callable[[], Runtime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What became of a candidate."""

    name: str
    ms_per_image: float | None
    """None: left out, `note` says why."""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fastest:
    """The runtime chosen."""

    runtime: Runtime
    reason: str
    measured: tuple[Measured, ...]
    """The fastest first, then those left out."""


def fastest_runtime(
    model: str | Path = SHIPPED,
    *,
    device: str = "cpu",
    threads: int | None = None,
    shape_BHW: tuple[int, int, int],
    budget_s: float = BUDGET_S,
) -> Fastest:
    """Open the fastest runtime that answers as torch does (as ONNX Runtime does, where there is no torch).

    Args:
        model: see `load_runtime`.
        device: see `load_runtime`.
        threads: see `load_runtime`.
        shape_BHW: batch and size of the pictures to come.
        budget_s: seconds of timing for all together, opening not counted.

    Raises:
        ModelError: no runtime here can open the model.
    """
    return choose(candidates(model, device=device, threads=threads), shape_BHW=shape_BHW, budget_s=budget_s)


def candidates(model: str | Path, *, device: str, threads: int | None) -> list[Candidate]:
    """What could run a model on a device, the reference first."""
    found: list[Candidate] = []

    def add(name: str, precision: str, path: Path, kind: RuntimeKind, dtype: str | None = None) -> None:
        found.append(
            Candidate(
                name=name,
                precision=precision,
                open=lambda: load_runtime(path, runtime=kind, device=device, dtype=dtype, threads=threads),
            )
        )

    torch_file, onnx_file = _file(model, "torch"), _file(model, "onnx")
    if torch_file is not None and find_spec("torch") is not None:
        add("torch float32", "float32", torch_file, "torch", "float32")
        for dtype in _short_formats(device):
            add(f"torch {dtype}", "16 bits", torch_file, "torch", dtype)
    if onnx_file is None:
        return found
    if device == "cpu":
        # A file of 8 bits can be named itself; else one may lie beside that of 32.
        beside = onnx_file.with_suffix(INT8_SUFFIX)
        int8_file = onnx_file if onnx_file.name.endswith(INT8_SUFFIX) else beside
        with_openvino = find_spec("openvino") is not None
        if int8_file != onnx_file:
            add("onnx float32", "float32", onnx_file, "onnx")
            if with_openvino:
                from app.detector.openvino_runtime import cpu_formats

                add("openvino float32", "float32", onnx_file, "openvino", "float32")
                if "BF16" in cpu_formats():
                    add("openvino bfloat16", "16 bits", onnx_file, "openvino", "bfloat16")
        if int8_file.is_file() and _lost(int8_file) <= MOST_INT8_LOSS:
            add("onnx int8", "int8", int8_file, "onnx")
            if with_openvino:
                add("openvino int8", "int8", int8_file, "openvino")
    elif device.partition(":")[0] == "cuda":
        add("tensorrt float16", "16 bits", onnx_file, "tensorrt", "float16")
    return found


def choose(
    among: Sequence[Candidate],
    *,
    shape_BHW: tuple[int, int, int],
    budget_s: float = BUDGET_S,
    compare: bool = True,
) -> Fastest:
    """Compare candidates with the first that opens, time those that agree, take the fastest.

    Args:
        among: the reference first.
        shape_BHW: batch and size of the pictures.
        budget_s: seconds of timing for all together.
        compare: False only times: an untrained network's answers lie too close together to be told apart.

    Raises:
        ModelError: none opens.
    """
    images = probe_images(shape_BHW)
    opened: list[tuple[Candidate, Runtime]] = []
    left_out: list[Measured] = []
    truth: list[Detections] | None = None
    for candidate in among:
        try:
            runtime = candidate.open()
        except SonarstackError as error:
            left_out.append(Measured(name=candidate.name, ms_per_image=None, note=str(error)))
            continue
        answers = runtime.detect(images, min_score=0.01)
        truth = answers if truth is None else truth
        difference = disagreement(truth, answers, MOST_SCORE_DIFFERENCE[candidate.precision])
        if difference and compare:
            left_out.append(Measured(name=candidate.name, ms_per_image=None, note=difference))
        else:
            opened.append((candidate, runtime))
    if not opened:
        raise ModelError(
            "no runtime here can open the model: " + "; ".join(f"{m.name}: {m.note}" for m in left_out)
        )
    seconds = _best_seconds([runtime for _, runtime in opened], images, budget_s)
    ranked = sorted((1e3 * s / shape_BHW[0], index) for index, s in enumerate(seconds))
    measured = [Measured(name=opened[i][0].name, ms_per_image=ms) for ms, i in ranked]
    return Fastest(
        runtime=opened[ranked[0][1]][1],
        reason=_reason(measured, left_out, shape_BHW),
        measured=(*measured, *left_out),
    )


def disagreement(truth: Sequence[Detections], answers: Sequence[Detections], most: float) -> str:
    """Why answers are not those of the reference, in words; empty where they are.

    Of the reference's best detections nearly all must be found, at their place and with their score.
    """
    compared = found = 0
    worst = 0.0
    for one, other in zip(truth, answers, strict=True):
        best = min(COMPARED, len(one))
        compared += best
        if not best or not len(other):
            continue
        overlap = pairwise_iou(one.boxes_xyxy_px[:best], other.boxes_xyxy_px)
        overlap = np.where(one.labels[:best, None] == other.labels, overlap, 0)
        nearest = overlap.argmax(1)
        place = overlap[np.arange(best), nearest] >= LEAST_IOU
        difference = np.abs(one.scores[:best] - other.scores[nearest])
        found += int((place & (difference <= most)).sum())
        worst = max(worst, float(difference[place].max(initial=0)))
    if found >= LEAST_FOUND * compared:
        return ""
    return f"finds {found} of {compared} that the reference finds (scores up to {worst:.2g} apart)"


def probe_images(shape_BHW: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Speckle with bright targets and their shadows, so that a detector has something to answer."""
    rng = np.random.default_rng(0)
    batch, height, width = shape_BHW
    level = np.full(shape_BHW, 75.0, np.float32)
    for _ in range(max(4, height * width // 20_000)):
        side = int(rng.integers(8, 24))
        top = rng.integers(0, max(height - side, 1), batch)
        left = rng.integers(0, max(width - 3 * side, 1), batch)
        for image, y, x in zip(level, top, left, strict=True):
            image[y : y + side, x + side : x + 3 * side] = 12
            image[y : y + side, x : x + side] = 190
    return (level * rng.rayleigh(0.8, shape_BHW)).clip(0, 255).astype(np.uint8)


def _best_seconds(runtimes: Sequence[Runtime], images: NDArray[np.uint8], budget_s: float) -> list[float]:
    """Shortest time of each, taken in turns so that what else the machine does meets all of them."""
    best = [float("inf")] * len(runtimes)
    started, rounds = time.perf_counter(), 0
    while rounds < 2 or time.perf_counter() - started < budget_s:
        for index, runtime in enumerate(runtimes):
            begin = time.perf_counter()
            runtime.detect(images, min_score=0.4)
            best[index] = min(best[index], time.perf_counter() - begin)
        rounds += 1
    return best


def _reason(
    measured: Sequence[Measured], left_out: Sequence[Measured], shape_BHW: tuple[int, int, int]
) -> str:
    batch, height, width = shape_BHW
    first, *others = measured
    text = f"{first.name} takes {first.ms_per_image:.1f} ms for an image of {height} x {width} px"
    text += f" in batches of {batch}" if batch > 1 else ""
    if others:
        text += "; " + ", ".join(f"{m.name} {m.ms_per_image:.1f}" for m in others)
    for m in left_out:
        text += f"; {m.name} left out: {m.note}"
    return text


def _file(model: str | Path, kind: RuntimeKind) -> Path | None:
    try:
        path = model_path(model, kind)
    except ModelError:
        return None
    return path


def _short_formats(device: str) -> list[str]:
    """16-bit formats that torch has fast on the device by its instruction set; measuring tells whether they are."""
    from app.device.choice import TorchProbe, choose_device
    from app.device.plan import plan_device

    if device == "cpu":
        fast = TorchProbe().cpu_capabilities() & {"amx_bf16", "avx512_bf16"}
        return ["bfloat16"] if fast else []
    planned = str(plan_device(choose_device(device)).dtype).removeprefix("torch.")
    return [planned] if planned != "float32" else []


def _lost(path: Path) -> float:
    from app.detector.exported import read_exported

    told = read_exported(path).int8
    return float("inf") if told is None else float(told["ap50_lost"])
