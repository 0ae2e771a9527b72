"""python -m benchmarks.ship_weights --data DIR --work DIR: trains the weights that the project ships.

Simulated tiles, the small-target set and the wrecks together; scored on groups that training never saw.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.dataset.formats.yolo_writer import GeneratedTile, write_yolo_tiles
from app.dataset.read import read_tiles
from app.dataset.split import Split, split_by_group
from app.dataset.tiles import LabelledTile, TileSet
from app.detector.export import export_onnx
from app.detector.model_file import SHIPPED, ModelCard, read_model, write_model
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import choose_device
from app.device.plan import plan_device
from app.evaluation.evaluate import evaluate_model
from app.evaluation.score import Scores
from app.sonar.simulator.tiles import simulate_tiles
from app.storage import atomic_write, write_json, write_text
from app.telemetry.progress import Bar, Progress
from app.training.limits import Limits
from app.training.loop import TrainJob, train
from app.training.recipe import TrainConfig
from app.training.record import make_record
from app.training.run_folder import RunFolder

CLASSES = ("target", "ship", "aircraft")
RENAMED = {"plane": "aircraft"}
REPEATS = {"sdvd": 3, "wrecks": 1, "simulated": 1}
"""How often a part's tiles are seen in an epoch: the small sets must not drown in the simulated one."""


def main() -> None:
    """Make the tiles, train, score on each part's held-out groups, write weights and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sdvd/ and wrecks/")
    parser.add_argument("--work", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--simulated", type=int, default=2500)
    parser.add_argument("--epochs", type=int, default=22)
    parser.add_argument("--seed", type=int, default=20260, help="of the simulated tiles")
    parser.add_argument(
        "--start-from", help="model file to go on from, or shipped; random weights without it"
    )
    options = parser.parse_args()
    progress = Bar("images")
    simulated = options.work / "simulated"
    if not simulated.is_dir():
        progress.start("simulating", options.simulated)
        made = simulate_tiles(options.simulated, size_px=256, seed=options.seed)
        write_yolo_tiles((_counted(tile, progress) for tile in made), simulated, CLASSES)
        progress.done()
    parts = {
        name: _renamed(read_tiles(folder)[0])
        for name, folder in (
            ("sdvd", options.data / "sdvd"),
            ("wrecks", options.data / "wrecks"),
            ("simulated", simulated),
        )
    }
    tiles, split, held_out = _together(parts)
    config = TrainConfig(
        name="shipped",
        epochs=options.epochs,
        start_from=options.start_from,
        evaluate_every=2,
        checkpoint_minutes=3,
        ema_decay=0.999,
    )
    plan = plan_device(choose_device("cpu"))
    plan.apply()
    run = RunFolder(options.work / "run")
    run.write_record(make_record(config, tiles, split, plan))
    job = TrainJob(
        config=config, tiles=tiles, split=split, plan=plan, run=run, limits=Limits(), workers=plan.workers
    )
    outcome = train(job, progress)
    progress.note(outcome.reason)
    _ship(run, tiles, held_out)


def _counted(tile: GeneratedTile, progress: Progress) -> GeneratedTile:
    progress.advance(1)
    return tile


def _renamed(tiles: TileSet) -> TileSet:
    """The same tiles with the shipped model's classes."""
    index = [
        CLASSES.index(RENAMED.get(n, n)) if RENAMED.get(n, n) in CLASSES else -1 for n in tiles.class_names
    ]
    lookup = np.asarray(index, dtype=np.int64)
    renamed = tuple(replace(t, labels=lookup[t.labels]) for t in tiles.tiles)
    assert all((t.labels >= 0).all() for t in renamed)
    return replace(tiles, class_names=CLASSES, tiles=renamed)


def _together(parts: dict[str, TileSet]) -> tuple[TileSet, Split, dict[str, tuple[int, ...]]]:
    """One set of all parts; the split of each part, and what is held out of each."""
    tiles: list[LabelledTile] = []
    train_indices: list[int] = []
    val_indices: list[int] = []
    held_out: dict[str, tuple[int, ...]] = {}
    for name, part in parts.items():
        offset = len(tiles)
        split = split_by_group(part, val_fraction=0.06 if name == "simulated" else 0.2, seed=0)
        held_out[name] = tuple(offset + i for i in split.val)
        train_indices += [offset + i for i in split.train] * REPEATS[name]
        val_indices += held_out[name]
        tiles += part.tiles
    together = TileSet(root=Path("/"), class_names=CLASSES, tiles=tuple(tiles))
    return together, Split(train=tuple(train_indices), val=tuple(val_indices)), held_out


def _ship(run: RunFolder, tiles: TileSet, held_out: dict[str, tuple[int, ...]]) -> None:
    model, _ = read_model(run.best_model)
    runtime = TorchRuntime(model, name="shipped")
    figures: dict[str, float] = {}
    rows: list[str] = []
    for name, indices in held_out.items():
        # 256 px for tiles of that size; the wrecks are pictures of 640 px whose objects fill them
        scores, _ = evaluate_model(runtime, tiles.subset(indices), size_px=256)
        figures |= {f"{name}_{k}": round(v, 4) for k, v in scores.flat().items()}
        rows += _rows(name, scores)
        print(name, json.dumps(scores.as_dict()))
    card = ModelCard(
        name="sonarstack 1",
        trained_on=(
            "simulated tiles of this project; SDVD side-scan tiles (ODbL 1.0); sonar_detect wreck pictures "
            "(Roboflow, CC BY 4.0); split by recording minute, scene and near copy"
        ),
        size_px=256,
        figures=figures,
        not_for="other sonar types, unattended decisions about safety, munitions clearance",
    )
    with atomic_write(SHIPPED) as stream:
        write_model(stream, model, card, half=True)
    check = export_onnx(model, SHIPPED.with_suffix(".onnx"), card=card, half=True)
    print(SHIPPED.stat().st_size, check.as_dict())
    write_json(run.path / "figures.json", figures)
    counts = {name: len(indices) for name, indices in held_out.items()}
    write_text(SHIPPED.parent / "MODEL_CARD.md", _card_text(rows, counts, run))


def _rows(part: str, scores: Scores) -> list[str]:
    return [
        f"| {part} | {name} | {int(c['boxes'])} | {c['ap50']:.3f} | {c['ap50_95']:.3f} | {c['precision']:.3f} | "
        f"{c['recall']:.3f} |"
        for name, c in scores.per_class.items()
        if c["boxes"]
    ]


def _card_text(rows: list[str], counts: dict[str, int], run: RunFolder) -> str:
    config = run.read_record()["config"]
    start = "random weights" if config["start_from"] is None else f"earlier weights ({config['start_from']})"
    held = ", ".join(f"{count} of {name}" for name, count in counts.items())
    return f"""# sonarstack 1: the weights that the project ships

One network of 1.03 million parameters, `sonarstack.pt` (16-bit weights) and `sonarstack.onnx`. Classes: `target`
(small man-made object, about half a metre to two and a half), `ship` (wreck), `aircraft` (wreck).

## Data

| part | what | licence |
| --- | --- | --- |
| simulated | tiles of this project's simulator | this project's |
| sdvd | SDVD: 194 side-scan tiles, a 1.8 m target in a river | ODbL 1.0 |
| wrecks | sonar_detect (Roboflow): 521 pictures of wrecks | CC BY 4.0 |

Trained for {config["epochs"]} epochs from {start} (sdvd seen three times in each). Split by recording minute,
scene and near copy: {held} tiles were kept out, and no group is on both sides. The epoch was chosen on those
tiles, so the figures flatter a little.

## Figures on the tiles kept out (256 px; precision and recall at the confidence with the best F1)

| part | class | boxes | AP50 | AP50:95 | precision | recall |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

## Not for

Other sonar types than side scan; munitions clearance or any other decision about safety without a person who
looks; counting without a check: on a bottom of rocks, expect false alarms. Real targets of other shapes than
those above were not in the training. `python -m app train --recipe fine_tune` adapts it to one's own sonar.

Made by `python -m benchmarks.ship_weights`.
"""


if __name__ == "__main__":
    main()
