"""What belongs together: tiles that show the same bottom must never stand on both sides of a split."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.dataset.defects import read_grey
from app.dataset.tiles import TileSet

STAMP = re.compile(r"(?<!\d)(\d{12})\d{2}(?!\d)")
"""yyyymmddhhmmss; the first 12 digits are the minute, in which one pass stays (both frequencies included)."""
SCENE = re.compile(r"^(\d+)_\d+$")
"""Cut from one scene: scene, then tile."""
LINE = re.compile(r"^(.*line[-_]?\d+)", re.IGNORECASE)
YEAR = re.compile(r"^(19|20)\d{2}$")
HASH_SIDE = 16
NEAR_BITS = 26
"""Of 256: unrelated sonar tiles differ in about 128 bits, copies with other compression in under 15."""
CLUSTERS = "near_duplicate_groups.tsv"
"""Known near copies beside the data: group, tab, path."""


def assign_groups(tiles: TileSet, *, hashes: NDArray[np.uint8] | None = None) -> TileSet:
    """The same set with every tile's group filled in.

    Tiles join by name (year folder, survey line, minute, scene), by the listed near copies, and by perceptual
    hash; whatever is joined twice becomes one group. A tile that joins nothing is a group of its own.
    """
    if hashes is None:
        hashes = (
            np.stack([perceptual_hash(t.path) for t in tiles.tiles])
            if len(tiles)
            else np.zeros((0, 32), np.uint8)
        )
    parent = list(range(len(tiles)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    names = [name_group(t.path, tiles.root) or t.group for t in tiles.tiles]
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        if name:
            by_name[name].append(index)
    joined = [*by_name.values(), *_listed(tiles), *near_pairs(hashes)]
    for members in joined:
        for other in members[1:]:
            parent[find(other)] = find(members[0])
    first_name: dict[int, str] = {}
    for index in range(len(tiles)):
        top = find(index)
        if names[index] and top not in first_name:
            first_name[top] = names[index]
    groups = [first_name.get(find(i)) or f"alike:{tiles.tiles[find(i)].path.stem}" for i in range(len(tiles))]
    return TileSet(
        root=tiles.root,
        class_names=tiles.class_names,
        tiles=tuple(replace(t, group=g) for t, g in zip(tiles.tiles, groups, strict=True)),
    )


def name_group(path: Path, root: Path) -> str:
    """The group that a file's name tells; empty if it tells none."""
    folders = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    for folder in folders:
        if YEAR.match(folder):
            return f"year:{folder}"
    if stamp := STAMP.search(path.stem):
        return f"minute:{stamp.group(1)}"
    if line := LINE.match(path.stem):
        return f"line:{line.group(1)}"
    if scene := SCENE.match(path.stem):
        return f"scene:{scene.group(1)}"
    return ""


def _listed(tiles: TileSet) -> list[list[int]]:
    listing = tiles.root / CLUSTERS
    if not listing.is_file():
        return []
    index = {t.path.relative_to(tiles.root).as_posix(): i for i, t in enumerate(tiles.tiles)}
    clusters: dict[str, list[int]] = defaultdict(list)
    for line in listing.read_text().splitlines():
        name, _, path = line.partition("\t")
        if path.strip() in index:
            clusters[name].append(index[path.strip()])
    return list(clusters.values())


def perceptual_hash(path: Path) -> NDArray[np.uint8]:
    """256 bits that tell whether brightness rises from each of 16 x 16 cells to its right, as 32 bytes.

    Source: Krawetz 2013, difference hash; blurred first, since speckle is not part of the scene.
    """
    image = read_grey(path)
    if image is None:
        return np.zeros(HASH_SIDE * HASH_SIDE // 8, dtype=np.uint8)
    small = cv2.resize(image, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1])


def near_pairs(hashes: NDArray[np.uint8], limit: int = NEAR_BITS) -> list[list[int]]:
    """Pairs of tiles whose hashes differ in at most `limit` bits.

    A hash without contrast (an even image) joins nothing: it would join all other even images.
    """
    pairs: list[list[int]] = []
    ones = np.bitwise_count(hashes).sum(1)
    telling = (ones > 16) & (ones < 240)
    for index in range(len(hashes) - 1):
        if telling[index]:
            distance = np.bitwise_count(hashes[index + 1 :] ^ hashes[index]).sum(1)
            near = np.flatnonzero((distance <= limit) & telling[index + 1 :])
            pairs += [[index, index + 1 + int(j)] for j in near]
    return pairs
