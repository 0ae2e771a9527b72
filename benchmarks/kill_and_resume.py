"""Trainings killed with -9 at random moments and taken up until done: `python -m benchmarks.kill_and_resume`.

Each ends with the weights, averages and optimiser state of a run that nobody disturbed, bit for bit, on the CPU with
one thread, and no kill costs more than one checkpoint interval. Exits 1 where that is not so.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.dataset.formats.yolo_writer import GeneratedTile, write_yolo_tiles
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.telemetry.progress import Silent
from app.training.job import override, prepare_job
from app.training.limits import Limits
from app.training.loop import train
from app.training.recipe import smoke
from app.training.run_folder import RunFolder
from benchmarks.inference import cpu

TILES, SIZE_PX = 24, 64
LATE_S = 1.0
"""A checkpoint waits for the step, evaluation or record under way. On a busy machine they take longer than this: then
there is a checkpoint after every step, and one step may be lost."""
SPAWN = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One run and what happened to it."""

    kills: int
    lost_s: float
    """Most that one kill cost: the run's own time from its newest checkpoint to its last figures."""
    lost_steps: int
    late: int
    """Kills that cost more than the interval, the second for the work under way, and more than one step."""
    same: bool
    seconds: float


def made_tiles() -> Iterator[GeneratedTile]:
    """Bright squares on noise."""
    rng = np.random.default_rng(5)
    for _ in range(TILES):
        image = rng.integers(0, 90, (SIZE_PX, SIZE_PX), dtype=np.uint8)
        x, y = (int(v) for v in rng.integers(4, SIZE_PX - 24, 2))
        image[y : y + 18, x : x + 18] = 240
        yield image, np.array([[x, y, x + 18, y + 18]], np.float32), np.zeros(1, np.int64)


def train_once(data: Path, run: Path, given: argparse.Namespace) -> None:
    """Begin the run, or take it up, in this process."""
    plan = plan_device(choose_device("cpu"), threads=1, dtype="float32")
    if given.processes:
        plan = replace(plan, worker_processes=True, workers=given.processes)
    plan.apply()
    config = override(
        smoke(),
        size_px=SIZE_PX,
        batch_size=4,
        epochs=given.epochs,
        checkpoint_minutes=given.interval_s / 60,
        evaluate_every=2,
    )
    job = prepare_job(
        data=data,
        run=RunFolder(run),
        config=config,
        plan=plan,
        limits=Limits(),
        resume=True,
        skip_bad=False,
        progress=Silent(),
    )
    train(job, Silent())


def started(data: Path, run: Path, given: argparse.Namespace) -> Any:
    """A process that trains."""
    process = SPAWN.Process(target=train_once, args=(data, run, given))
    process.start()
    return process


def newest(run: Path) -> dict[str, Any] | None:
    """The state that a resumed run would begin with."""
    path = RunFolder(run).newest_checkpoint()
    return None if path is None else torch.load(path, weights_only=True)


def lost(run: Path) -> tuple[float, int]:
    """Seconds and steps between the newest checkpoint and the last figures of a run that was killed."""
    lines = [line for line in RunFolder(run).read_whole_metrics() if line["kind"] in ("step", "epoch")]
    if not lines:
        return 0.0, 0
    state = newest(run)
    position = {"seconds": 0.0, "step": 0} if state is None else state["position"]
    return lines[-1]["seconds"] - position["seconds"], max(0, lines[-1]["step"] - position["step"])


def same(one: Any, other: Any) -> bool:
    """Equal bit for bit, however nested; how long the run took does not count."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        keys = one.keys() - {"seconds"}
        return keys == other.keys() - {"seconds"} and all(same(one[k], other[k]) for k in keys)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _wait(
    process: Any, run: Path, rng: random.Random, steps: int, impatient: bool, interval_s: float
) -> None:
    """Until the process ends, or, if impatient, until a moment that was drawn: how far the run is by then, and a
    little more. Drawn in steps, moments are spread over the run however busy the machine is; a run that has no
    checkpoint yet may be killed in its start.
    """
    if not impatient:
        process.join()
        return
    wanted = rng.uniform(-0.2, 0.8) * steps
    while process.exitcode is None and wanted > _steps_kept(run):
        process.join(0.02)
    process.join(rng.uniform(0, 3 * interval_s))


def _steps_kept(run: Path) -> int:
    """Of the newest checkpoint, whole or not."""
    names = (path.stem.removeprefix("step-") for path in (run / "checkpoints").glob("step-*.pt"))
    return max((int(name) for name in names), default=0)


def trial(number: int, data: Path, folder: Path, steps: int, given: argparse.Namespace) -> Trial:
    """One run: killed up to `given.kills` times, then left alone."""
    rng = random.Random(given.seed + number)
    run, began = folder / f"run-{number}", time.monotonic()
    kills, most_s, most_steps, late = 0, 0.0, 0, 0
    while True:
        process = started(data, run, given)
        _wait(process, run, rng, steps, kills < given.kills, given.interval_s)
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
        lost_s, lost_steps = lost(run)
        most_s, most_steps = max(most_s, lost_s), max(most_steps, lost_steps)
        late += lost_s > given.interval_s + LATE_S and lost_steps > 1
    if process.exitcode != 0:
        raise RuntimeError(f"{run} ended with {process.exitcode}; see its error above")
    return Trial(
        kills=kills,
        lost_s=most_s,
        lost_steps=most_steps,
        late=late,
        same=same(newest(run), newest(folder / "undisturbed")),
        seconds=time.monotonic() - began,
    )


def main() -> None:
    """Print one line a run and a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kills", type=int, default=3, help="of one run at most")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--interval-s", type=float, default=0.3, help="between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--processes", type=int, default=0, help="that prepare the tiles, as for a GPU; else a thread"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs side by side")
    given = parser.parse_args()
    SPAWN.set_forkserver_preload(["app.training.loop", "app.training.job"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_yolo_tiles(made_tiles(), folder / "data", ("target",))
        for run in ("warm-up", "undisturbed"):
            began = time.monotonic()
            process = started(folder / "data", folder / run, given)
            process.join()
            usual_s = time.monotonic() - began
        final = newest(folder / "undisturbed")
        load = os.getloadavg()[0]
        if final is None or not same(final, newest(folder / "warm-up")):
            sys.exit("two undisturbed runs differ already")
        steps = final["position"]["step"]
        print(f"{time.strftime('%Y-%m-%d')}, {cpu()}, load {load:.0f}")
        print(f"undisturbed: {steps} steps in {usual_s:.1f} s, twice the same weights\n")
        with ThreadPoolExecutor(given.jobs) as pool:
            trials = list(
                pool.map(lambda n: trial(n, folder / "data", folder, steps, given), range(given.runs))
            )
    show(trials, given)
    if not all(t.same and not t.late for t in trials):
        sys.exit(1)


def show(trials: list[Trial], given: argparse.Namespace) -> None:
    """A table, then what it comes to."""
    print("| run | kills | most lost at a kill, s | steps | weights bit-equal | took, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for number, t in enumerate(trials):
        equal = "yes" if t.same else "NO"
        print(f"| {number} | {t.kills} | {t.lost_s:.2f} | {t.lost_steps} | {equal} | {t.seconds:.1f} |")
    killed = [t for t in trials if t.kills]
    print(
        f"\n{sum(t.kills for t in trials)} kills in {len(killed)} of {len(trials)} runs; "
        f"{sum(t.same for t in trials)} of {len(trials)} end bit-equal with the undisturbed run; most lost at one "
        f"kill {max(t.lost_s for t in trials):.2f} s ({max(t.lost_steps for t in trials)} steps), a checkpoint "
        f"every {given.interval_s} s; kills that cost more than an interval and the step under way: "
        f"{sum(t.late for t in trials)}"
    )


if __name__ == "__main__":
    main()
