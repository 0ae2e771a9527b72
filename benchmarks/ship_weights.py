"""python -m benchmarks.ship_weights --data DIR --work DIR: trains the weights that the project ships.

First `python -m benchmarks.synthetic_only --data DIR --work DIR` on simulated tiles alone and
`python -m benchmarks.survey_tiles --out DIR/surveys`; this goes on from there with simulated tiles, those of simulated
surveys, the small-target set and the wrecks together. Scored on groups that training never saw; the present weights are
only replaced with --ship, and where the parts' mean says so: first see with `python -m benchmarks.survey_contacts` what
the new ones find in whole surveys.
"""

import argparse
import json
import shutil
from pathlib import Path

from app.dataset.read import read_tiles
from app.dataset.split import Split, split_by_group
from app.dataset.tiles import LabelledTile, TileSet
from app.detector.export import export_onnx
from app.detector.model_file import SHIPPED, ModelCard, read_model, write_model
from app.detector.network import SidescanTargetDetector
from app.detector.torch_runtime import TorchRuntime
from app.device.choice import choose_device
from app.device.plan import DevicePlan, plan_device
from app.evaluation.evaluate import evaluate_model
from app.evaluation.score import Scores
from app.sonar.simulator.shape import CLASS_NAMES
from app.storage import atomic_write, write_json
from app.telemetry.progress import Bar
from app.training.job import TrainJob
from app.training.limits import Limits
from app.training.loop import train
from app.training.optimiser import OptimiserConfig
from app.training.recipe import TrainConfig
from app.training.record import make_record
from app.training.run_folder import RunFolder
from benchmarks.fitting import named
from benchmarks.survey_tiles import read_survey_tiles
from benchmarks.synthetic_only import RENAMED, WEIGHTS

REPEATS = {"sdvd": 6, "wrecks": 3, "simulated": 1, "surveys": 2}
"""How often a part's tiles are seen in an epoch: the small sets must not drown in the simulated one."""
REAL = ("sdvd", "wrecks")
"""The parts of which more is kept out, since they are small and decide most."""


def main() -> None:
    """Read the parts, train, score on each part's held-out groups, replace the weights if they are better."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sdvd/ and wrecks/")
    parser.add_argument("--work", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--muon-rate", type=float, default=0.015)
    parser.add_argument("--size-px", type=int, default=192, help="of a training tile, cut or scaled from 256")
    parser.add_argument("--sdvd-repeats", type=int, default=REPEATS["sdvd"])
    parser.add_argument("--ship", action="store_true", help="replace the shipped weights if these are better")
    parser.add_argument("--start-from", type=Path, help=f"instead of {WEIGHTS} in the work folder")
    options = parser.parse_args()
    parts = {
        name: named(tiles, CLASS_NAMES, RENAMED)
        for name, tiles in (
            ("sdvd", read_tiles(options.data / "sdvd")[0]),
            ("wrecks", read_tiles(options.data / "wrecks")[0]),
            ("simulated", read_tiles(options.work / "simulated")[0]),
            ("surveys", read_survey_tiles(options.work / "surveys")),
        )
    }
    repeats = REPEATS | {"sdvd": options.sdvd_repeats}
    tiles, split, held_out = _together(parts, repeats)
    config = TrainConfig(
        name="shipped",
        size_px=options.size_px,
        epochs=options.epochs,
        start_from=str(options.start_from or options.work / WEIGHTS),
        optimiser=OptimiserConfig(muon_rate=options.muon_rate, adam_rate=options.muon_rate / 10),
        # Scored once, at the end: no epoch is chosen on what is kept out.
        evaluate_every=options.epochs,
        checkpoint_minutes=3,
        ema_decay=0.998,
    )
    plan = plan_device(choose_device("cpu"), threads=options.threads, dtype="float32")
    plan.apply()
    run = RunFolder(options.work / "run")
    run.write_record(make_record(config, tiles, split, plan))
    job = TrainJob(config=config, tiles=tiles, split=split, plan=plan, run=run, limits=Limits())
    progress = Bar("images")
    progress.note(train(job, progress).reason)
    stage = {"epochs": options.epochs, "size_px": options.size_px, "repeats": repeats}
    if _better(options.work, run, tiles, held_out, plan, stage) and options.ship:
        _replace(options.work)


def _together(
    parts: dict[str, TileSet], repeats: dict[str, int]
) -> tuple[TileSet, Split, dict[str, tuple[int, ...]]]:
    """One set of all parts; the split of each part, and what is held out of each."""
    tiles: list[LabelledTile] = []
    train_indices: list[int] = []
    val_indices: list[int] = []
    held_out: dict[str, tuple[int, ...]] = {}
    for name, part in parts.items():
        offset = len(tiles)
        split = split_by_group(part, val_fraction=0.2 if name in REAL else 0.06, seed=0)
        held_out[name] = tuple(offset + i for i in split.val)
        train_indices += [offset + i for i in split.train] * repeats[name]
        val_indices += held_out[name]
        tiles += part.tiles
    together = TileSet(root=Path("/"), class_names=CLASS_NAMES, tiles=tuple(tiles))
    return together, Split(train=tuple(train_indices), val=tuple(val_indices)), held_out


def _better(
    work: Path,
    run: RunFolder,
    tiles: TileSet,
    held_out: dict[str, tuple[int, ...]],
    plan: DevicePlan,
    stage: dict[str, object],
) -> bool:
    """Score new and shipped weights, write figures and model files; whether the new ones are better on average."""
    new, _ = read_model(run.best_model)
    old, _ = read_model(SHIPPED)
    scores = {which: _scored(model, tiles, held_out, plan) for which, model in (("new", new), ("old", old))}
    for name in held_out:
        for which in ("new", "old"):
            print(name, which, json.dumps(scores[which][name].as_dict()["per_class"]))
    write_json(
        work / "figures.json",
        {
            "stage": stage,
            "tiles": {name: len(indices) for name, indices in held_out.items()},
            "parts": {
                which: {
                    name: {"per_class": s.per_class, "calibration": s.calibration.as_dict()}
                    for name, s in of.items()
                }
                for which, of in scores.items()
            },
        },
    )
    figures = {f"{n}_{k}": round(v, 4) for n, s in scores["new"].items() for k, v in s.flat().items()}
    card = ModelCard(
        name="sonarstack 2",
        trained_on=(
            "simulated tiles of this project, then with them SDVD side-scan tiles (ODbL 1.0) and sonar_detect "
            "wreck pictures (Roboflow, CC BY 4.0); split by recording minute, scene and near copy"
        ),
        size_px=256,
        figures=figures,
        not_for="other sonar types, unattended decisions about safety, munitions clearance",
    )
    pt, onnx = work / SHIPPED.name, work / SHIPPED.with_suffix(".onnx").name
    with atomic_write(pt) as stream:
        write_model(stream, new, card, half=True)
    print(pt.stat().st_size, export_onnx(new, onnx, card=card, half=True).as_dict())
    means = {which: _means(of) for which, of in scores.items()}
    better = all(new > old for new, old in zip(means["new"], means["old"], strict=True))
    print(f"{'better' if better else 'not better'} on average: {means}; the new weights lie in {work}")
    return better


def _means(scores: dict[str, Scores]) -> tuple[float, float]:
    """AP50 and AP50:95, each part's mean over its classes counting as one: a part of 25 boxes decides nothing alone."""
    columns = [
        [
            sum(f[key] for f in s.per_class.values() if f["boxes"])
            / sum(bool(f["boxes"]) for f in s.per_class.values())
            for s in scores.values()
        ]
        for key in ("ap50", "ap50_95")
    ]
    ap50, ap50_95 = (sum(values) / len(values) for values in columns)
    return ap50, ap50_95


def _replace(work: Path) -> None:
    for name in (SHIPPED.name, SHIPPED.with_suffix(".onnx").name):
        beside = SHIPPED.parent / f".{name}"
        shutil.copy(work / name, beside)
        beside.replace(SHIPPED.parent / name)
    print("the shipped weights are replaced; python -m benchmarks.weights_card writes their card")


def _scored(
    model: SidescanTargetDetector, tiles: TileSet, held_out: dict[str, tuple[int, ...]], plan: DevicePlan
) -> dict[str, Scores]:
    runtime = TorchRuntime(model, plan=plan, name="shipped")
    # 256 px for tiles of that size; the wrecks are pictures of 640 px whose objects fill them
    return {name: evaluate_model(runtime, tiles.subset(i), size_px=256)[0] for name, i in held_out.items()}


if __name__ == "__main__":
    main()
