"""Tiny labelled sets made for the tests."""

from pathlib import Path

import cv2
import numpy as np

from app.dataset.tiles import LabelledTile, TileSet


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Speckle over a smooth bottom that differs from seed to seed, as uint8 (H, W)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 200, (6, 8)).astype(np.float32)
    bottom = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(bottom * rng.uniform(0.8, 1.2, (height, width)), 0, 255).astype(np.uint8)


def write_picture(path: Path, seed: int, height: int = 48, width: int = 64) -> None:
    """A picture as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(seed, height, width))


def make_yolo(root: Path, labels: dict[str, str], names: list[str] | None = None) -> Path:
    """images/STEM.png and labels/STEM.txt for each entry."""
    for seed, (stem, text) in enumerate(labels.items()):
        write_picture(root / "images" / f"{stem}.png", seed)
        path = root / "labels" / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if names is not None:
        (root / "data.yaml").write_text(f"names: {names}\n")
    return root


def bare_tiles(names: list[str], *, boxes: list[list[int]] | None = None, classes: int = 1) -> TileSet:
    """Tiles that exist on no disk; `boxes` lists the class of every box of each tile."""
    labels = boxes if boxes is not None else [[0]] * len(names)
    tiles = tuple(
        LabelledTile(
            path=Path("/set") / name,
            height_px=48,
            width_px=64,
            boxes_xyxy_px=np.tile(np.array([[4, 4, 20, 16]], np.float32), (len(own), 1)),
            labels=np.asarray(own, dtype=np.int64),
        )
        for name, own in zip(names, labels, strict=True)
    )
    return TileSet(root=Path("/set"), class_names=tuple(f"class{i}" for i in range(classes)), tiles=tiles)
