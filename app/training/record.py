"""run.json: what is run, so that it can be continued, repeated and questioned."""

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from app.dataset.augment import Augmentation
from app.dataset.read import tileset_hash
from app.dataset.split import Split
from app.dataset.tiles import TileSet
from app.device.plan import DevicePlan
from app.errors import RunError
from app.training.optimiser import OptimiserConfig
from app.training.recipe import TrainConfig

RECORD_VERSION = 1
LIBRARIES = ("torch", "numpy")


def make_record(config: TrainConfig, tiles: TileSet, split: Split, plan: DevicePlan) -> dict[str, Any]:
    """Recipe with every value, data with its hash and split, device plan, code and libraries."""
    return {
        "version": RECORD_VERSION,
        "config": asdict(config),
        "data": {
            "root": str(tiles.root),
            "sha256": tileset_hash(tiles),
            "class_names": list(tiles.class_names),
            "tiles": len(tiles),
            "split": split.as_names(tiles),
        },
        "device_plan": plan.as_dict(),
        "code": {"version": version("sonarstack"), "sha256": code_hash()},
        "libraries": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
            "opencv": cv2.__version__,
        },
    }


def config_of(record: dict[str, Any], name: str) -> TrainConfig:
    """The recipe that a run was begun with, batch size included.

    Raises:
        RunError: the record is of another version or damaged.
    """
    if record.get("version") != RECORD_VERSION:
        raise RunError(
            f"{name} was begun by another version (record {record.get('version')}, this program writes "
            f"{RECORD_VERSION}); continue it with that one, or start a new --run"
        )
    try:
        values = dict(record["config"])
        values["optimiser"] = OptimiserConfig(**_tuples(values["optimiser"]))
        values["augmentation"] = Augmentation(**_tuples(values["augmentation"]))
        return TrainConfig(**values)
    except (KeyError, TypeError) as error:
        raise RunError(f"{name}: run.json is damaged ({error}); restore it from the run's mirror") from error


def check_same_data(record: dict[str, Any], tiles: TileSet, name: str) -> Split:
    """The run's split, if the data is what it was begun with.

    Raises:
        RunError: the folder holds other tiles or labels now.
    """
    if record["data"]["sha256"] != tileset_hash(tiles):
        raise RunError(
            f"{name} was begun with other data than {tiles.root} holds now (contents differ); "
            "restore the data set, or start a new --run"
        )
    return Split.from_names(record["data"]["split"], tiles)


def code_hash() -> str:
    """Digest of the program's own source files."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
