"""Inference against YOLO11n: `python -m benchmarks.inference --peer-python PATH [--rounds N] [--json FILE]`.

One grey image at a time, every runtime and number format on either side, one thread (on a core of its own) and two, in
turns. `network`: from what the runtime takes to the network's answers (the peer's with its decoding, which is part of
its network; ours without the box branch, which belongs to the rest). `whole`: from 8-bit pixels to the boxes left by
suppression. Ultralytics runs in an environment of its own and with random weights: speed is all that is compared.

    python -m venv /tmp/peer/.venv
    /tmp/peer/.venv/bin/pip install ultralytics opencv-python-headless onnx onnxruntime openvino nncf
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from benchmarks.turns import Worker

FLAGS = ("amx_int8", "amx_bf16", "amx_tile", "avx512_fp16", "avx512_bf16", "avx512_vnni", "avx_vnni", "avx2")
OWN, PEER = "own", "peer"
TURN_S = 0.05
"""A turn repeats a step for about so long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One way to run one side."""

    side: str
    runtime: str
    size_px: int
    part: str
    threads: int


Times = dict[Cell, list[tuple[float, float]]]
"""Milliseconds an image in every round: on the clock, and of processor (all threads together)."""


def measure(options: argparse.Namespace, work: Path) -> tuple[Times, dict[str, dict[str, str]]]:
    """Milliseconds an image of every cell in every round, and each side's versions."""
    sizes = [str(size) for size in options.sizes]
    commands = {
        OWN: [sys.executable, "-m", "benchmarks.inference_own", "--model", options.model],
        PEER: [str(options.peer_python), "-m", "benchmarks.inference_peer"],
    }
    commands = {k: [*v, "--work", str(work), "--sizes", *sizes] for k, v in commands.items()}
    for command in commands.values():
        subprocess.run(
            [*command, "--threads", str(max(options.threads)), "--prepare"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=None if options.verbose else subprocess.DEVNULL,
        )
    times: Times = defaultdict(list)
    versions: dict[str, dict[str, str]] = {}
    for threads in options.threads:
        workers = {k: Worker([*v, "--threads", str(threads)]) for k, v in commands.items()}
        versions |= {k: w.facts["versions"] for k, w in workers.items()}
        cells = [
            Cell(side=side, runtime=name.replace("_", " "), size_px=int(size), part=part, threads=threads)
            for side, worker in workers.items()
            for name, size, part in (step.split("|") for step in worker.facts["steps"])
        ]
        counts: dict[Cell, int] = {}
        for number in range(options.rounds + 1):
            for cell in cells:
                step = f"{cell.runtime.replace(' ', '_')}|{cell.size_px}|{cell.part}"
                turn = workers[cell.side].turn(step, counts.get(cell, 2))
                if number:
                    each = 1e3 / turn.amount
                    times[cell].append((each * turn.seconds, each * turn.cpu_s))
                else:
                    counts[cell] = max(1, round(TURN_S * turn.amount / turn.cpu_s))
        for worker in workers.values():
            worker.close()
    return times, versions


def show(times: Times, rounds: int) -> list[dict[str, object]]:
    """Print a block for each thread count, size and part; the ratio of the best of both sides closes it."""
    ratios: list[dict[str, object]] = []
    for threads, minus_size, part in sorted({(c.threads, -c.size_px, c.part) for c in times}):
        size = -minus_size
        print(f"\n{size} px, {part}, {threads} thread(s): ms an image, median of {rounds} rounds")
        ranked: dict[str, list[tuple[float, float, str]]] = {}
        for side in (OWN, PEER):
            rows = {
                c.runtime: t
                for c, t in times.items()
                if (c.threads, c.size_px, c.part, c.side) == (threads, size, part, side)
            }
            ranked[side] = sorted(_row(side, name, values) for name, values in rows.items())
            for _, _, text in ranked[side]:
                print(f"  {text}")
        ratio, found = _ratios(ranked)
        print(f"  {ratio}")
        ratios.append({"threads": threads, "size_px": size, "part": part, **found})
    return ratios


def _row(side: str, name: str, values: list[tuple[float, float]]) -> tuple[float, float, str]:
    """Median on the clock, median of processor, and a line for the table that begins with the runtime's name."""
    clock, processor = ([v[i] for v in values] for i in (0, 1))
    low, middle, high = statistics.quantiles(clock, n=4)
    used = statistics.median(processor)
    who = "own" if side == OWN else "YOLO11n"
    text = f"{name:20s} {who:8s} {middle:8.2f} ({low:.2f} to {high:.2f}), processor {used:.2f}"
    return middle, used, text


def _ratios(ranked: dict[str, list[tuple[float, float, str]]]) -> tuple[str, dict[str, object]]:
    """How many times faster the best of ours is than the best of the peer: overall, and in float32 alone."""
    own, peer = ranked[OWN][0], ranked[PEER][0]
    own_float, peer_float = (next(r for r in ranked[side] if "float32" in r[2]) for side in (OWN, PEER))
    least = {side: min(used for _, used, _ in ranked[side]) for side in ranked}
    figures: dict[str, object] = {
        "ratio": peer[0] / own[0],
        "ratio_by_processor": least[PEER] / least[OWN],
        "ratio_both_float32": peer_float[0] / own_float[0],
        "ratio_own_float32": peer[0] / own_float[0],
        "own": own[2].split("  ")[0],
        "peer": peer[2].split("  ")[0],
    }
    text = (
        f"ratio of the best: {figures['ratio']:.2f} ({figures['own']} against {figures['peer']}; by processor time "
        f"{figures['ratio_by_processor']:.2f}); both in float32 {figures['ratio_both_float32']:.2f}; ours in float32 "
        f"against its best {figures['ratio_own_float32']:.2f}"
    )
    return text, figures


def cpu() -> str:
    """The CPU's name and what it knows of the instructions that matter here."""
    told: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        told.setdefault(name.strip(), value.strip())
    here = set(told.get("flags", "").split())
    flags = ", ".join(f for f in FLAGS if f in here)
    amx = "" if any(f.startswith("amx") for f in here) else "; no AMX"
    return (
        f"{told.get('model name')} (family {told.get('cpu family')}, model {told.get('model')}): {flags}{amx}"
    )


def main() -> None:
    """Print the figures, and write them as JSON with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True, help="of an environment with ultralytics")
    parser.add_argument("--model", default="shipped")
    parser.add_argument("--sizes", type=int, nargs="+", default=[640, 256])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true", help="show what the exporters say")
    options = parser.parse_args()
    load, started = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        times, versions = measure(options, Path(folder))
    print(f"{time.strftime('%Y-%m-%d')}, {cpu()}")
    print(f"{os.cpu_count()} cores, load before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    for side, told in versions.items():
        print(f"{side}: " + ", ".join(f"{name} {version}" for name, version in told.items()))
    ratios = show(times, options.rounds)
    print(f"\nmeasured in {time.perf_counter() - started:.0f} s")
    if options.json is not None:
        rows = [
            {"side": c.side, "runtime": c.runtime, "size_px": c.size_px, "part": c.part, "threads": c.threads}
            | {"ms_clock_and_processor": values}
            for c, values in times.items()
        ]
        content = {"cpu": cpu(), "date": time.strftime("%Y-%m-%d"), "versions": versions, "ratios": ratios}
        options.json.write_text(json.dumps({**content, "cells": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
