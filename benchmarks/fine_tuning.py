"""python -m benchmarks.fine_tuning --data DIR --start FILE: what half a minute on real tiles makes of a start.

The small-target set in the accuracy benchmark's folds (its minutes kept aside take no part): trained on two folds,
scored on the third. Seconds are processor seconds of one thread, loader included, so that a busy machine gives the
same figures; the steps that fit in are measured first.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

from app.dataset.read import read_tiles
from app.dataset.tiles import TileSet
from app.detector.torch_runtime import TorchRuntime
from app.device.plan import DevicePlan
from app.evaluation.evaluate import evaluate_model
from app.training.recipe import TrainConfig, baseline, fine_tune
from benchmarks.accuracy_folds import make_folds
from benchmarks.fitting import fit, one_thread

PROBE_STEPS = 6


def main() -> None:
    """One JSON line per fold and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the small-target set")
    parser.add_argument("--start", type=Path, required=True, help="weights that never saw it")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--muon-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--fold", type=int, action="append", choices=(0, 1, 2))
    parser.add_argument("--no-scratch", action="store_true", help="leave out the same from random weights")
    parser.add_argument("--out", type=Path, help="file that the lines are added to")
    options = parser.parse_args()
    plan = one_thread()
    tiles, _ = read_tiles(options.data)
    folds = make_folds(tiles, 3)
    tuned = replace(fine_tune(), start_from=str(options.start), batch_size=options.batch, warmup_steps=20)
    if options.muon_rate is not None:
        rates = replace(tuned.optimiser, muon_rate=options.muon_rate, adam_rate=options.muon_rate / 10)
        tuned = replace(tuned, optimiser=rates)
    ways = {
        "pre-trained": tuned,
        "from scratch": replace(baseline(), batch_size=options.batch, warmup_steps=20),
    }
    if options.no_scratch:
        del ways["from scratch"]
    steps = steps_in(options.seconds, tuned, tiles, plan)
    for fold in options.fold or range(3):
        split = folds.split(fold)
        for way, config in ways.items():
            used = time.process_time()
            model, _ = fit(config, tiles, split.train, plan, steps=steps)
            used = time.process_time() - used
            runtime = TorchRuntime(model, plan=plan, name=way)
            scores, _ = evaluate_model(runtime, tiles.subset(split.val), size_px=256)
            line: dict[str, object] = {
                "fold": fold,
                "way": way,
                "steps": steps,
                "processor_s": round(used, 1),
            }
            line |= {k: round(v, 4) for k, v in scores.flat().items()}
            print(json.dumps(line), flush=True)
            if options.out is not None:
                with options.out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")


def steps_in(seconds: float, config: TrainConfig, tiles: TileSet, plan: DevicePlan) -> int:
    """Steps of one thread in so many processor seconds, after a warm-up."""
    indices = list(range(len(tiles)))
    fit(config, tiles, indices, plan, steps=PROBE_STEPS)
    used = time.process_time()
    fit(config, tiles, indices, plan, steps=4 * PROBE_STEPS)
    return round(seconds / ((time.process_time() - used) / (4 * PROBE_STEPS)))


if __name__ == "__main__":
    main()
