"""This project's network as a worker of `benchmarks.inference`: every runtime and number format that is here."""

import argparse
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.turns import Step, serve


def main() -> None:
    """Serve, after fixing the threads before any library starts its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--prepare", action="store_true", help="only write the files that workers open")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-given.threads :])
    if given.prepare:
        prepare(given.work, given.model)
        return
    steps: dict[str, Step] = {}
    for name, open_runtime in _runtimes(given.work, given.threads).items():
        steps |= _steps(name, open_runtime, given.sizes)
    serve(steps, {"steps": list(steps), "versions": _versions()})


def prepare(work: Path, model: str) -> None:
    """The network for every runtime; 8 bits calibrated on made pictures, for their speed alone."""
    from app.detector.export import export_onnx
    from app.detector.fastest import probe_images
    from app.detector.model_file import read_model, write_model
    from app.detector.quantize import quantized, with_int8_figures
    from app.detector.runtimes import model_path

    network, card = read_model(model_path(model, "torch"))
    plain = work / "own.onnx"
    with (work / "own.pt").open("wb") as stream:
        write_model(stream, network, card)
    export_onnx(network, plain, card=card)
    small = quantized(plain, [probe_images((4, 256, 256))])
    (work / "own.int8.onnx").write_bytes(with_int8_figures(small, {}, plain))


def _runtimes(work: Path, threads: int) -> dict[str, Callable[[], Any]]:
    from app.detector.runtimes import RuntimeKind, load_runtime

    def opener(kind: RuntimeKind, file: str, dtype: str | None = None) -> Callable[[], Any]:
        return lambda: load_runtime(work / file, runtime=kind, dtype=dtype, threads=threads)

    found = {
        "torch float32": opener("torch", "own.pt", "float32"),
        "torch bfloat16": opener("torch", "own.pt", "bfloat16"),
        "onnx float32": opener("onnx", "own.onnx"),
        "onnx int8": opener("onnx", "own.int8.onnx"),
    }
    if find_spec("openvino") is not None:
        found |= {
            "openvino float32": opener("openvino", "own.onnx", "float32"),
            "openvino bfloat16": opener("openvino", "own.onnx", "bfloat16"),
            "openvino int8": opener("openvino", "own.int8.onnx"),
        }
    return found


def _steps(name: str, open_runtime: Callable[[], Any], sizes: list[int]) -> dict[str, Step]:
    from app.detector.fastest import probe_images

    steps: dict[str, Step] = {}
    step = name.replace(" ", "_")
    for size in sizes:
        runtime, image = open_runtime(), probe_images((1, size, size))

        def network(runtime: Any = runtime, image: Any = image) -> float:
            runtime._answer(image)
            return 1

        def whole(runtime: Any = runtime, image: Any = image) -> float:
            runtime.detect(image, min_score=0.25)
            return 1

        steps |= {f"{step}|{size}|network": network, f"{step}|{size}|whole": whole}
    return steps


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ["torch", "onnxruntime", *(["openvino"] if find_spec("openvino") is not None else [])]
    return {name: version(name) for name in names}


if __name__ == "__main__":
    main()
