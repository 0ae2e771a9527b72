"""Which tiles of a folder a model may honestly be scored on."""

from pathlib import Path

from app.dataset.read import read_tiles, tileset_hash
from app.dataset.split import Split, split_by_group
from app.dataset.tiles import TileSet
from app.errors import SettingsError
from app.training.record import config_of
from app.training.run_folder import RunFolder


def chosen_part(tiles: TileSet, model: str, split: str | None) -> tuple[TileSet, str, int | None]:
    """The part to score, what it is in words, and the tile size of the run (None for a bare model file).

    Without a wish, the tiles that the run kept out of training where the folder is the one it was trained on, and
    all tiles of any other folder.

    Raises:
        SettingsError: `val` of a folder or a model that has no stored split.
        DatasetError: the folder lacks tiles of the split.
    """
    if split not in (None, "val", "all"):
        raise SettingsError(f"--split {split} is unknown; allowed are val and all")
    run = RunFolder(Path(model))
    if not run.exists:
        if split == "val":
            raise SettingsError(
                f"--split val needs the folder of a run as --model, not {model}; use --split all"
            )
        return tiles, f"all {len(tiles)} tiles", None
    record = run.read_record()
    size_px = config_of(record, model).size_px
    same = record["data"]["sha256"] == tileset_hash(tiles)
    if split == "val" and not same:
        raise SettingsError(
            f"{tiles.root} is not what {model} was trained on, or has changed; use --split all"
        )
    if split == "all" or not same:
        seen = "tiles that training saw among them" if same else "not the folder that was trained on"
        return tiles, f"all {len(tiles)} tiles, {seen}", size_px
    val = Split.from_names(record["data"]["split"], tiles).val
    return tiles.subset(val), f"{len(val)} tiles that training did not see (val)", size_px


def calibration_parts(folder: Path, model: str) -> tuple[TileSet, TileSet]:
    """Tiles that ranges are measured on, and tiles that share no group with them to be scored.

    A run's own training and validation part where the folder is the one it was trained on; else a split by group.

    Raises:
        DatasetError: the folder is no data set, or cannot be split.
    """
    tiles, _ = read_tiles(folder)
    run = RunFolder(Path(model))
    if run.exists:
        record = run.read_record()
        if record["data"]["sha256"] == tileset_hash(tiles):
            stored = Split.from_names(record["data"]["split"], tiles)
            return tiles.subset(stored.train), tiles.subset(stored.val)
    split = split_by_group(tiles, val_fraction=0.5)
    return tiles.subset(split.train), tiles.subset(split.val)
