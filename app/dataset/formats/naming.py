"""What all written sets share: flat file names that stay unique, and the list of groups."""

from collections.abc import Iterable
from pathlib import Path

from app.dataset.tiles import LabelledTile, TileSet
from app.errors import DatasetError

GROUPS_FILE = "groups.tsv"
"""Group, tab, path below this file's folder: what a reader must keep on one side of a split."""


def flat_names(tiles: TileSet) -> list[str]:
    """A file name for each tile; its own where no other tile has it, else with its folders in front.

    Stems are unique too, as label files have the image's stem.
    """
    used: set[str] = set()
    names = []
    for index, tile in enumerate(tiles.tiles):
        folders = [p for p in Path(tiles.name(index)).parent.parts if p not in ("images", "JPEGImages", "/")]
        name = tile.path.name
        while Path(name).stem in used:
            name = f"{folders.pop()}_{name}" if folders else f"{index}_{name}"
        used.add(Path(name).stem)
        names.append(name)
    return names


def tile_bytes(tile: LabelledTile) -> bytes:
    """The image file as it is.

    Raises:
        DatasetError: it vanished since the set was read.
    """
    try:
        return tile.path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{tile.path} can no longer be read; restore the data set") from error


def write_groups(out: Path, groups: Iterable[tuple[str, str]]) -> None:
    """Write the list of groups; tiles without one are not in it, and no file is made for none at all."""
    lines = [f"{group}\t{path}\n" for group, path in groups if group]
    if lines:
        (out / GROUPS_FILE).write_text("".join(lines), encoding="utf-8")
