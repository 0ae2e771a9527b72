"""python -m benchmarks.synthetic_only --data DIR: what simulated tiles alone teach about real ones.

Trains on simulated tiles and on nothing else, and scores all of sdvd/ and wrecks/, of which training saw no tile.
The weights are the average after the last step: no epoch is chosen on anything.
"""

import argparse
import json
import time
from pathlib import Path

from app.dataset.read import read_tiles
from app.dataset.simulated import write_simulated_tiles
from app.detector.torch_runtime import TorchRuntime
from app.evaluation.evaluate import evaluate_model
from app.sonar.simulator.shape import CLASS_NAMES
from app.storage import write_json
from app.telemetry.progress import Silent
from app.training.recipe import TrainConfig
from benchmarks.fitting import fit, keep, named, one_thread

RENAMED = {"plane": "aircraft"}
WEIGHTS = "synthetic.pt"
"""Name of the weights in the work folder."""


def main() -> None:
    """Make the tiles, train, score, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sdvd/ and wrecks/")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for tiles and weights; tiles are kept"
    )
    parser.add_argument("--tiles", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the tiles and of training")
    parser.add_argument(
        "--start-from", help="weights of an earlier run of this, also of simulated tiles only"
    )
    parser.add_argument("--seen-before", type=int, default=0, help="tiles that those weights have seen")
    parser.add_argument(
        "--only",
        choices=CLASS_NAMES,
        help="a network for this class alone: tiles with it and empty ones; scored where it occurs",
    )
    options = parser.parse_args()
    simulated, made_s = options.work / "simulated", 0.0
    if not simulated.is_dir():
        started = time.perf_counter()
        write_simulated_tiles(simulated, options.tiles, seed=options.seed, progress=Silent())
        made_s = time.perf_counter() - started
    plan = one_thread()
    tiles, _ = read_tiles(simulated)
    if options.only is not None:
        tiles = named(tiles, (options.only,), {})
    config = TrainConfig(
        name="synthetic", epochs=options.epochs, seed=options.seed, start_from=options.start_from
    )
    model, seconds = fit(config, tiles, range(len(tiles)), plan, tell=lambda line: print(line, flush=True))
    keep(model, options.work / WEIGHTS, "simulated tiles only")
    runtime = TorchRuntime(model, plan=plan, name="synthetic")
    line: dict[str, object] = {
        "network": "three classes" if options.only is None else f"{options.only} only",
        "tiles": len(tiles),
        "tiles_seen": len(tiles) * options.epochs + options.seen_before,
        "epochs": options.epochs,
        "made_s": round(made_s, 1),
        "train_s": round(seconds, 1),
    }
    for part in ("sdvd", "wrecks"):
        truth = named(read_tiles(options.data / part)[0], tiles.class_names, RENAMED)
        if not any(len(tile.labels) for tile in truth.tiles):
            continue
        scores, _ = evaluate_model(runtime, truth, size_px=256)
        line[part] = {
            name: {k: round(float(v), 3) for k, v in figures.items()}
            for name, figures in scores.per_class.items()
            if figures["boxes"]
        }
    print(json.dumps(line))
    write_json(options.work / "synthetic.json", line)


if __name__ == "__main__":
    main()
