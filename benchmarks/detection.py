"""Whole detection in pings/s on this CPU: `python -m benchmarks.detection [--pings N] [--model M] [--runtime R]`.

Writes an XTF of 2 x 1024 samples, detects in it from the file to the report's data, and splits the time by
stage; then does the same with 1 and 4 times the length, each in a process of its own, to show the memory.
Without --model: the shipped weights, or, where there are none, a fresh network of the same shape (same speed).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from app.detector.detections import Runtime
from app.errors import ModelError
from app.sonar.simulator.line import simulate_line
from app.sonar.simulator.plan import SurveyPlan
from app.sonar.simulator.xtf_writer import write_xtf
from app.sonar.waterfall import Waterfall
from app.survey.detect import detect_survey
from app.survey.options import SurveyOptions

SIMULATED_PINGS = 2048
"""Simulated once and repeated: what costs time in detection does not depend on what is seen."""


def long_line(pings: int, plan: SurveyPlan) -> Iterator[Waterfall]:
    """A line as long as wanted; positions go on where each repetition ends."""
    once = simulate_line(plan, 0).waterfall
    nav = once.navigation
    assert nav.x is not None
    assert nav.y is not None
    step_x, step_y = np.diff(nav.x).mean() * once.pings, np.diff(nav.y).mean() * once.pings
    for n, first in enumerate(range(0, pings, once.pings)):
        moved = replace(
            nav, x=nav.x + n * step_x, y=nav.y + n * step_y, time_s=nav.time_s + first / plan.ping_rate_hz
        )
        yield replace(once, first_ping=first, navigation=moved)


def open_runtime(model: str, runtime: str, threads: int) -> Runtime:
    """The model asked for; a fresh network of the same shape where no weights are shipped."""
    from app.detector.runtimes import load_runtime

    try:
        return load_runtime(model, runtime=runtime, threads=threads)  # type: ignore[arg-type]
    except ModelError:
        if model != "shipped" or runtime != "torch":
            raise
    from app.detector.network import DetectorConfig, SidescanTargetDetector
    from app.detector.torch_runtime import TorchRuntime
    from app.device.choice import choose_device
    from app.device.plan import plan_device

    network = SidescanTargetDetector(DetectorConfig(class_names=("target", "ship", "aircraft")))
    plan = plan_device(choose_device("cpu"), threads=threads)
    return TorchRuntime(network, plan=plan, name="untrained network")


def own_mib() -> float:
    """Memory of this process without the pages of files it maps, which the system drops when it needs them."""
    memory = psutil.Process().memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / 2**20


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Samples of `own_mib` taken a hundred times a second."""
    samples, stop = [own_mib()], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            samples.append(own_mib())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def measure(path: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Detect once to warm up and once for the clock; runs in the process whose memory is measured."""
    runtime = open_runtime(arguments.model, arguments.runtime, arguments.threads)
    runtime.detect(np.zeros((1, 1024, 384), np.uint8), min_score=0.5)
    ready_mib, cpu_s = own_mib(), time.process_time()
    with peak_memory() as peak_mib:
        result = detect_survey([path], runtime, SurveyOptions(workers=arguments.workers))
    cpu_s = time.process_time() - cpu_s
    return {
        "cpu_us_per_ping": 1e6 * cpu_s / result.pings,
        "model": result.model,
        "pings": result.pings,
        "pixel_m": result.files[0].pixel_m,
        "seconds": result.seconds,
        "pings_per_s": result.pings / result.seconds,
        "contacts": len(result.contacts),
        "ready_mib": ready_mib,
        "peak_mib": max(peak_mib),
        "stage_s": result.stage_s,
    }


def main() -> None:
    """Print the figures, and write them as JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pings", type=int, default=24_576, help="length of the short file")
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--runtime", choices=("torch", "onnx", "openvino"), default="torch")
    parser.add_argument("--threads", type=int, default=1, help="of one operation")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="batches side by side")
    parser.add_argument("--range-m", type=float, default=75.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(measure(arguments.measure, arguments)))
        return
    plan = SurveyPlan(
        lines=1,
        pings=SIMULATED_PINGS,
        samples=1024,
        range_m=arguments.range_m,
        ping_rate_hz=10,
        speed_mps=2.0,
    )
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for length in (1, 4):
            path = Path(folder) / f"line-{length}.xtf"
            write_xtf(path, long_line(length * arguments.pings, plan))
            command = [sys.executable, "-m", "benchmarks.detection", *sys.argv[1:], "--measure", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures.append(json.loads(done.stdout) | {"file_mib": path.stat().st_size / 2**20})
    show(figures)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def show(figures: list[dict[str, object]]) -> None:
    """One block of lines per file."""
    print(f"{figures[0]['model']}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for f in figures:
        print(
            f"{f['pings']:>7,} pings ({f['file_mib']:.0f} MiB): {f['pings_per_s']:>8,.0f} pings/s in "
            f"{f['seconds']:.2f} s, {f['cpu_us_per_ping']:.0f} us of processor a ping"
        )
        print(
            f"        peak memory {f['peak_mib']:.0f} MiB ({f['ready_mib']:.0f} before the first ping), "
            f"{f['contacts']} contacts, pixel {f['pixel_m']:.2f} m"
        )
        stages = f["stage_s"]
        assert isinstance(stages, dict)
        print("        " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in stages.items()))


if __name__ == "__main__":
    main()
