"""python -m benchmarks.peer_accuracy --data DIR --python PEER/bin/python: Ultralytics YOLO11n in our folds, our scores.

From scratch: its pre-trained weights saw COCO, ours saw nothing. The peer stays in an environment of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from app.dataset.read import read_tiles
from app.dataset.split import Split
from app.dataset.tiles import TileSet
from app.detector.detections import Detections
from app.evaluation.score import score_detections
from app.storage import write_json, write_text
from benchmarks.accuracy_folds import make_folds


def main() -> None:
    """Write each fold as the peer wants it, let it train and detect, score what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True, help="of the environment that has ultralytics")
    parser.add_argument("--results", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--only", type=int, action="append", help="these folds alone")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tiles, _ = read_tiles(options.data)
    folds = make_folds(tiles, options.folds)
    for fold in options.only or range(options.folds):
        result = options.results / f"yolo11n-e{options.epochs}-f{fold}-s{options.seed}.peer.json"
        if not result.is_file():
            folder = (options.results / result.stem).absolute()
            split = folds.split(fold)
            write_fold(tiles, split, folder)
            _run_peer(options.python, folder, options.epochs, options.seed)
            told = json.loads((folder / "found.json").read_text(encoding="utf-8"))
            write_json(result, _figures(tiles.subset(split.val), told))
        told = json.loads(result.read_text(encoding="utf-8"))
        print(f"YOLO11n from scratch, fold {fold}: AP50 {told['ap50']:.3f}, AP50:95 {told['ap50_95']:.3f}")


def write_fold(tiles: TileSet, split: Split, folder: Path) -> None:
    """Training part in the peer's form; the scored part beside it without labels."""
    for name in ("images/train", "labels/train", "scored"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in split.train:
        tile = tiles.tiles[index]
        shutil.copy(tile.path, folder / "images" / "train" / tile.path.name)
        size = np.array([tile.width_px, tile.height_px])
        corners = tile.boxes_xyxy_px.reshape(-1, 2, 2)
        centres, sizes = corners.mean(1) / size, (corners[:, 1] - corners[:, 0]) / size
        lines = [
            f"{label} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n"
            for label, (x, y), (w, h) in zip(tile.labels.tolist(), centres, sizes, strict=True)
        ]
        write_text(folder / "labels" / "train" / f"{tile.path.stem}.txt", "".join(lines))
    for index in split.val:
        shutil.copy(tiles.tiles[index].path, folder / "scored" / tiles.tiles[index].path.name)
    names = "".join(f"  {n}: {name}\n" for n, name in enumerate(tiles.class_names))
    # It insists on a validation part; training runs without validation, and never sees what is scored.
    write_text(
        folder / "data.yaml", f"path: {folder}\ntrain: images/train\nval: images/train\nnames:\n{names}"
    )


def _run_peer(python: Path, folder: Path, epochs: int, seed: int) -> None:
    program = Path(__file__).with_name("peer_yolo.py")
    command = [str(python), str(program), str(folder), "--epochs", str(epochs), "--seed", str(seed)]
    # Its settings file stays in the fold's folder, and it asks nobody.
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true"}
    subprocess.run(command, check=True, cwd=folder, env=environment)


def _figures(truth: TileSet, told: dict[str, Any]) -> dict[str, Any]:
    found = []
    for tile in truth.tiles:
        answer = told["found"][tile.path.name]
        found.append(
            Detections(
                boxes_xyxy_px=np.asarray(answer["boxes"], dtype=np.float32).reshape(-1, 4),
                scores=np.asarray(answer["scores"], dtype=np.float32),
                labels=np.asarray(answer["labels"], dtype=np.int64),
            )
        )
    scores = score_detections(truth, found)
    return {**scores.flat(), **{k: told[k] for k in ("version", "wall_s", "processor_s")}}


if __name__ == "__main__":
    main()
