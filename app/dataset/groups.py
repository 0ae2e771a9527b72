"""What belongs together: tiles that show the same bottom must never stand on both sides of a split."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.dataset.formats.naming import GROUPS_FILE
from app.dataset.images import HASH_BITS
from app.dataset.tiles import TileSet
from app.errors import DatasetError

STAMP = re.compile(r"(?<!\d)((?:19|20)\d{12})(?!\d)([HL]?)")
"""yyyymmddhhmmss and the frequency; one pass stays in the minute, both frequencies included."""
SCENE = re.compile(r"^(\d+)_(?!(?:19|20)\d\d$)\d+$")
"""Cut from one scene: scene, then tile. A year as second number names no tile."""
LINE = re.compile(r"^(.*(?<![a-z])line[-_]?\d+)", re.IGNORECASE)
YEAR = re.compile(r"^(?:19|20)\d{2}$")
PASS_APART_S = 2
"""The two frequencies of one pass are stamped up to this far apart."""
NEAR_BITS = 72
"""Of 256. Of the pairs of 715 real tiles that differ in 26 to 72 bits, those looked at (28) show one object in
two copies, frequencies or passes, but for a few with the same screen furniture; few unrelated pairs are under 80.
"""
KNOWN_COPIES = "near_duplicate_groups.tsv"
"""Known near copies beside the data or one folder up: group, tab, path below that folder."""


def assign_groups(tiles: TileSet) -> TileSet:
    """The same set with every tile's group filled in.

    Tiles join by a `groups.tsv` or else by name (year folder, survey line, minute, scene), by the listed near
    copies, and by perceptual hash; whatever is joined twice becomes one group. A tile that joins nothing is
    a group of its own.
    """
    listed = {i: name for name, members in _listed(tiles, GROUPS_FILE).items() for i in members}
    names = [listed.get(i) or name for i, name in enumerate(name_groups(tiles))]
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        if name:
            by_name[name].append(index)
    joined = chain(
        by_name.values(),
        _listed(tiles, KNOWN_COPIES).values(),
        _frequencies_of_a_pass(tiles),
        near_pairs(fingerprints(tiles)),
    )
    tops = _join(len(tiles), joined)
    group_of: dict[int, str] = {}
    for index, top in enumerate(tops):
        if names[index]:
            group_of.setdefault(top, names[index])
    filled = (
        replace(tile, group=group_of.get(top) or f"alike:{tiles.name(top)}")
        for tile, top in zip(tiles.tiles, tops, strict=True)
    )
    return replace(tiles, tiles=tuple(filled))


def name_groups(tiles: TileSet) -> list[str]:
    """The group that each file's name or folder tells; empty where it tells none.

    Folders by year count only where there are several: a single one would hold everything together.
    """
    years = [
        next((p for p in Path(tiles.name(i)).parts[:-1] if YEAR.match(p)), "") for i in range(len(tiles))
    ]
    if len(set(years) - {""}) > 1:
        return [
            f"year:{y}" if y else _from_stem(t.path.stem) for t, y in zip(tiles.tiles, years, strict=True)
        ]
    return [_from_stem(tile.path.stem) for tile in tiles.tiles]


def _from_stem(stem: str) -> str:
    if stamp := STAMP.search(stem):
        return f"minute:{stamp.group(1)[:12]}"
    if line := LINE.match(stem):
        return f"line:{line.group(1)}"
    if scene := SCENE.match(stem):
        return f"scene:{scene.group(1)}"
    return ""


def _frequencies_of_a_pass(tiles: TileSet) -> list[list[int]]:
    """Tiles whose names differ in the frequency's letter and by up to two seconds: also across a minute."""
    high: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    low: list[tuple[tuple[str, str], datetime, int]] = []
    for index, tile in enumerate(tiles.tiles):
        stamp = STAMP.search(tile.path.stem)
        second = _second(stamp.group(1)) if stamp is not None else None
        if stamp is None or second is None:
            continue
        around = tile.path.stem[: stamp.start()], tile.path.stem[stamp.end() :]
        if stamp.group(2) == "H":
            high[around].append((second, index))
        elif stamp.group(2) == "L":
            low.append((around, second, index))
    return [
        [index, other]
        for around, second, index in low
        for other_second, other in high[around]
        if abs((second - other_second).total_seconds()) <= PASS_APART_S
    ]


def _second(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:  # fourteen digits that are no time
        return None


def _listed(tiles: TileSet, file_name: str) -> dict[str, list[int]]:
    """Groups of a list beside the data or one folder up; paths are relative to the list's folder.

    Raises:
        DatasetError: the list is no text.
    """
    index = {tile.path.resolve(): i for i, tile in enumerate(tiles.tiles)}
    groups: dict[str, list[int]] = defaultdict(list)
    for folder in (tiles.root, tiles.root.resolve().parent):
        listing = folder / file_name
        if not listing.is_file():
            continue
        try:
            lines = listing.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DatasetError(f"{listing} is no text in UTF-8; save it as such, or remove it") from error
        for line in lines:
            name, _, path = line.partition("\t")
            member = index.get((folder / path.strip()).resolve())
            if member is not None:
                groups[name].append(member)
    return dict(groups)


def fingerprints(tiles: TileSet) -> NDArray[np.uint8]:
    """(N, 32) perceptual hashes; zeros for an even image, which no hash can tell from other even ones."""
    blank = bytes(HASH_BITS // 8)
    joined = b"".join(tile.fingerprint or blank for tile in tiles.tiles)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, HASH_BITS // 8)


def near_pairs(hashes: NDArray[np.uint8], limit: int = NEAR_BITS) -> Iterator[list[int]]:
    """Pairs of tiles whose hashes differ in at most `limit` bits; zeros join nothing.

    One after the other: of 10,000 tiles that are all alike the pairs would fill 6 GiB.
    """
    telling = np.asarray(hashes.any(axis=1))
    words = np.ascontiguousarray(hashes).view(np.uint64)
    for index in np.flatnonzero(telling[:-1]).tolist():
        distance = np.bitwise_count(words[index + 1 :] ^ words[index]).sum(axis=1)
        near = np.flatnonzero((distance <= limit) & telling[index + 1 :])
        yield from ([index, index + 1 + int(other)] for other in near)


def _join(count: int, sets: Iterable[list[int]]) -> list[int]:
    """Union-find: for each of `count` items the first item of its joined set."""
    parent = list(range(count))

    def find(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for members in sets:
        for other in members[1:]:
            low, high = sorted((find(members[0]), find(other)))
            parent[high] = low
    return [find(item) for item in range(count)]
