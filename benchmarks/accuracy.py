"""python -m benchmarks.accuracy --data DIR: recipes compared on recording minutes that training never saw."""

import argparse
from pathlib import Path

from app.dataset.read import read_tiles
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.storage import write_json
from benchmarks.accuracy_folds import make_folds
from benchmarks.accuracy_run import Run, read_run, train_run
from benchmarks.accuracy_scores import score_run
from benchmarks.accuracy_table import (
    Scored,
    headlines,
    machine_lines,
    overlap_rows,
    reading_rows,
    variant_rows,
)
from benchmarks.accuracy_variants import VARIANTS, variant


def main() -> None:
    """Train what is missing, score, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--results", type=Path, default=Path("runs/accuracy"), help="a run whose JSON is here is done"
    )
    parser.add_argument(
        "--variant",
        action="append",
        metavar="NAME:EPOCHS",
        help="may be repeated; plain:100 without it; several changes at once with + between. "
        f"Names: {', '.join(VARIANTS)}",
    )
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument(
        "--only", type=int, action="append", help="these folds alone, to train several side by side"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--aside", action="store_true", help="train on all folds and score what was kept aside: once"
    )
    parser.add_argument("--json", type=Path, help="write the figures of every run and reading to this file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", help="instead of the device plan's")
    options = parser.parse_args()
    tiles, _ = read_tiles(options.data)
    folds = make_folds(tiles, options.folds)
    plan = plan_device(choose_device("cpu"), threads=options.threads, dtype=options.dtype)
    plan.apply()
    options.results.mkdir(parents=True, exist_ok=True)
    places = ["aside"] if options.aside else [str(n) for n in options.only or range(options.folds)]
    scored: Scored = {}
    told = []
    for seed in range(options.seeds):
        for place in places:
            for spec in options.variant or ["plain:100"]:
                name, _, epochs = spec.partition(":")
                run = Run(
                    name=name,
                    variant=variant(name),
                    fold=place,
                    seed=seed,
                    epochs=int(epochs or 100),
                    results=options.results,
                )
                split = folds.last_split() if place == "aside" else folds.split(int(place))
                if not run.path.is_file():
                    train_run(run, tiles, split, plan)
                done = read_run(run)
                told.append(done)
                scored[run] = score_run(run, done["averages"], tiles.subset(split.val), plan)
    for line in (
        *machine_lines(told),
        "",
        *variant_rows(scored),
        "",
        *overlap_rows(scored),
        "",
        *reading_rows(scored),
    ):
        print(line)
    if options.json is not None:
        write_json(
            options.json, [t | {"scores": headlines(s)} for t, s in zip(told, scored.values(), strict=True)]
        )


if __name__ == "__main__":
    main()
