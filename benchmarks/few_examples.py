"""python -m benchmarks.few_examples --data DIR --start FILE: a new class from 20 labelled examples.

The start must never have seen the set (simulated tiles only): it is fine-tuned, and beside it the same network from
random weights takes equal steps on the same tiles. Scored on groups of which nothing was drawn; the last weights'
average counts, no step is chosen.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.dataset.read import read_tiles
from app.dataset.split import split_by_group
from app.dataset.tiles import TileSet
from app.detector.torch_runtime import TorchRuntime
from app.device.plan import DevicePlan
from app.evaluation.evaluate import evaluate_model
from app.training.recipe import TrainConfig, baseline, fine_tune
from benchmarks.fitting import fit, named, one_thread
from benchmarks.synthetic_only import RENAMED

EXAMPLES = 20
BACKGROUNDS = 20
"""Tiles without any object, which cost nobody a label; fewer where the set has fewer."""
TASKS = {"sdvd": ("sdvd", "target"), "ships": ("wrecks", "ship"), "aircraft": ("wrecks", "aircraft")}


def main() -> None:
    """One JSON line per training; `python -m benchmarks.few_examples --summary FILE` prints the table of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with sdvd/ and wrecks/")
    parser.add_argument("--start", type=Path, help="weights that never saw either")
    parser.add_argument("--out", type=Path, help="file that the lines are added to")
    parser.add_argument("--task", action="append", choices=sorted(TASKS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--summary", type=Path, help="print the table of such a file, and do nothing else")
    options = parser.parse_args()
    if options.summary is not None:
        print(summary([json.loads(line) for line in options.summary.read_text().splitlines()]))
        return
    if None in (options.data, options.start, options.out):
        parser.error("--data, --start and --out are needed, or --summary")
    plan = one_thread()
    for draw in range(options.draws):
        for task in options.task or list(TASKS):
            folder, label = TASKS[task]
            tiles = named(read_tiles(options.data / folder)[0], (label,), RENAMED)
            train, held_out = drawn(tiles, draw)
            for way, config in configs(options.start, draw, options.batch).items():
                figures = measured(tiles, train, held_out, config, plan, options.steps)
                line = {"task": task, "draw": draw, "way": way, "steps": options.steps}
                line |= {"batch": options.batch, **figures}
                with options.out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")
                print(json.dumps(line), flush=True)


def drawn(tiles: TileSet, draw: int) -> tuple[list[int], list[int]]:
    """The examples with some backgrounds, and the tiles to score on: other groups, the same for every draw."""
    split = split_by_group(tiles, val_fraction=0.4, seed=0)
    order = np.random.default_rng((draw, 20)).permutation(split.train)
    train: list[int] = []
    examples = 0
    for index in order.tolist():
        count = len(tiles.tiles[index].labels)
        if count and examples + count <= EXAMPLES:
            train.append(index)
            examples += count
    empty = [index for index in order.tolist() if not len(tiles.tiles[index].labels)]
    return train + empty[:BACKGROUNDS], list(split.val)


def configs(start: Path, draw: int, batch: int) -> dict[str, TrainConfig]:
    """Both ways: the recipe `fine_tune` from the start, the recipe `baseline` from random weights."""
    # A short run is over before the usual warm-up is.
    ways = {"pre-trained": replace(fine_tune(), start_from=str(start)), "from scratch": baseline()}
    return {
        way: replace(config, batch_size=batch, seed=draw, warmup_steps=20) for way, config in ways.items()
    }


def measured(
    tiles: TileSet, train: list[int], held_out: list[int], config: TrainConfig, plan: DevicePlan, steps: int
) -> dict[str, float]:
    """Train on few, score on the rest."""
    # Few tiles make a short epoch: repeated, so that the loader has whole batches.
    repeats = -(-4 * config.batch_size // len(train))
    model, seconds = fit(config, tiles, train * repeats, plan, steps=steps)
    scores, _ = evaluate_model(
        TorchRuntime(model, plan=plan, name="few"), tiles.subset(held_out), size_px=256
    )
    return {
        "examples": sum(len(tiles.tiles[i].labels) for i in train),
        "scored_boxes": scores.boxes,
        "ap50": round(scores.ap50, 4),
        "ap50_95": round(scores.ap50_95, 4),
        "train_s": round(seconds, 1),
    }


def summary(lines: list[dict[str, object]]) -> str:
    """Mean and spread (standard deviation) over the draws."""
    rows = ["| task | way | draws | steps | AP50 | AP50:95 |", "| --- | --- | --- | --- | --- | --- |"]
    for task in dict.fromkeys(line["task"] for line in lines):
        for way in dict.fromkeys(line["way"] for line in lines):
            mine = [line for line in lines if line["task"] == task and line["way"] == way]
            if not mine:
                continue
            cells = []
            for name in ("ap50", "ap50_95"):
                values = np.array([line[name] for line in mine], float)
                cells.append(f"{values.mean():.3f} ± {values.std(ddof=1) if len(values) > 1 else 0:.3f}")
            rows.append(f"| {task} | {way} | {len(mine)} | {mine[0]['steps']} | {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
