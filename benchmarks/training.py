"""Training in images/s against YOLO11n: `python -m benchmarks.training --peer-python PATH [--rounds N] [--threads T]`.

640 px, batch 8, whole steps (forward, loss, backward, clipping, optimiser, average), with the batches there already
and from each side's own loader, in turns; then the rate of one large convolution on this CPU and the share of it that
our steps reach, and where the rest goes. Ultralytics runs in an environment of its own, from random weights, as it
comes and tuned (channels_last; that and bfloat16); the best of these is compared.

    python -m venv /tmp/peer/.venv
    /tmp/peer/.venv/bin/pip install ultralytics opencv-python-headless

Time of processor is what another program's load moves least; use --threads 1 for it, since threads that wait for each
other count as busy.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.dataset.formats.yolo_writer import GeneratedTile, write_yolo_tiles
from benchmarks.inference import cpu
from benchmarks.turns import Turn, Worker

TILES = 64
OWN = "own"
PEERS: dict[str, tuple[str, ...]] = {
    "YOLO11n as it comes": (),
    "YOLO11n channels_last": ("--channels-last",),
    "YOLO11n channels_last bfloat16": ("--channels-last", "--dtype", "bfloat16"),
}
Turns = dict[tuple[str, str], list[Turn]]
"""By side and by what it did: off, on (the loader) or convolution."""


def made_tiles(size_px: int) -> Iterator[GeneratedTile]:
    """Speckle with one to three boxes each."""
    rng = np.random.default_rng(0)
    for _ in range(TILES):
        image = rng.rayleigh(60, (size_px, size_px)).clip(0, 255).astype(np.uint8)
        count = int(rng.integers(1, 4))
        centres, sizes = rng.uniform(60, size_px - 60, (count, 2)), rng.uniform(16, 60, (count, 2))
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1).astype(np.float32)
        yield image, boxes, np.zeros(count, np.int64)


def commands(given: argparse.Namespace, data: Path) -> dict[str, list[str]]:
    """Each side's worker. As it comes, Ultralytics chooses its threads itself; tuned, it has all that we have."""
    same = ["--data", str(data), "--size-px", str(given.size_px), "--batch-size", str(given.batch_size)]
    threads = ["--threads", str(given.threads)]
    sides = {OWN: [sys.executable, "-m", "benchmarks.training_own", *same, *threads]}
    if given.compile:
        sides["own compiled"] = [*sides[OWN], "--compile"]
    for name, flags in PEERS.items():
        if given.peer_python is not None:
            peer = [str(given.peer_python), "-m", "benchmarks.training_peer", *same, *flags]
            sides[name] = peer + (threads if flags else [])
    return sides


def measure(given: argparse.Namespace, data: Path) -> tuple[Turns, dict[str, dict[str, Any]]]:
    """Every round of every side, and what each side says of itself."""
    # Idle OpenMP threads of one worker must not take the cores from another.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true"}
    workers = {name: Worker(command, **environment) for name, command in commands(given, data).items()}
    turns: Turns = {}
    for _ in range(given.rounds):
        for what, count in (("off", given.steps), ("on", given.steps), ("convolution", 4)):
            for name, worker in workers.items():
                if what != "convolution" or name == OWN:
                    turns.setdefault((name, what), []).append(worker.turn(what, count))
    for worker in workers.values():
        worker.close()
    return turns, {name: worker.facts for name, worker in workers.items()}


def median_rate(turns: list[Turn]) -> float:
    """Amount a second."""
    return statistics.median(turn.rate for turn in turns)


def cpu_ms(turns: list[Turn]) -> float:
    """Milliseconds of processor for one image."""
    return statistics.median(1e3 * turn.cpu_s / turn.amount for turn in turns)


def show(turns: Turns, facts: dict[str, dict[str, Any]], given: argparse.Namespace) -> None:
    """A table, then ratios and the share of the CPU's rate."""
    own = facts[OWN]
    print(f"{cpu()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(
        f"torch {own['torch']}, {given.size_px} px, batch {given.batch_size}, {own['dtype']}: {own['reason']}\n"
    )
    print("| side | threads | images/s | with loader | ms of processor an image | with loader |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, told in facts.items():
        off, on = turns[name, "off"], turns[name, "on"]
        print(
            f"| {name} | {told['threads']} | {median_rate(off):.2f} | {median_rate(on):.2f} | "
            f"{cpu_ms(off):.0f} | {cpu_ms(on):.0f} |"
        )
    peers = [name for name in facts if name in PEERS]
    for what in ("off", "on") if peers else ():
        best = max(peers, key=lambda name: median_rate(turns[name, what]))
        least = min(peers, key=lambda name: cpu_ms(turns[name, what]))
        rate = median_rate(turns[OWN, what]) / median_rate(turns[best, what])
        time_ratio = cpu_ms(turns[least, what]) / cpu_ms(turns[OWN, what])
        print(
            f"\nloader {what}: {rate:.2f} times {best} in images/s, {time_ratio:.2f} times {least} in time of processor"
        )
    ways: dict[str, list[tuple[float, float]]] = {"on the clock": [], "of processor": []}
    for step, large in zip(turns[OWN, "off"], turns[OWN, "convolution"], strict=True):
        flops = own["flops"] * step.amount / given.batch_size
        ways["on the clock"].append((flops / step.seconds, large.rate))
        ways["of processor"].append((flops / step.cpu_s, large.amount / large.cpu_s))
    for name, pairs in ways.items():
        reached, possible = (statistics.median(column) / 1e9 for column in zip(*pairs, strict=True))
        print(
            f"{reached:.0f} of {possible:.0f} GFLOP/s that a large 3x3 convolution reaches here, forward and "
            f"backward: {reached / possible:.0%} ({name})"
        )


def profile(given: argparse.Namespace, data: Path) -> None:
    """Where our steps' time goes."""
    command = [*commands(given, data)[OWN], "--profile", "4"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    groups = json.loads(done.stdout.splitlines()[-1])
    total = sum(groups.values())
    print("\n| part of a step | ms | share |\n| --- | --- | --- |")
    for name, ms in groups.items():
        print(f"| {name} | {ms:.1f} | {ms / total:.1%} |")


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peer-python", type=Path, help="of the environment that has ultralytics")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2, help="of one turn")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--size-px", type=int, default=640)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--compile", action="store_true", help="ours with torch.compile too")
    given = parser.parse_args()
    print(time.strftime("%Y-%m-%d"))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "tiles"
        write_yolo_tiles(made_tiles(given.size_px), data, ("target",))
        show(*measure(given, data), given)
        profile(given, data)


if __name__ == "__main__":
    main()
