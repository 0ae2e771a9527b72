"""A model in 8 bits, offered only where labelled tiles kept out of the calibration say that it lost nothing."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.dataset.images import read_grey
from app.dataset.letterbox import letterbox
from app.dataset.tiles import TileSet
from app.detector.export import export_onnx
from app.detector.fastest import MOST_INT8_LOSS
from app.detector.model_file import ModelCard
from app.detector.network import SidescanTargetDetector
from app.detector.onnx_runtime import OnnxRuntime
from app.detector.quantize import quantized, with_int8_figures
from app.errors import DatasetError, ModelError
from app.evaluation.evaluate import evaluate_model
from app.storage import atomic_write
from app.telemetry.progress import Progress, Silent

BATCH = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Int8Check:
    """What 8 bits cost; stored in the file."""

    ap50_float32: float
    ap50_int8: float
    ap50_lost: float
    """Below 0 where 8 bits score better."""
    ap50_95_lost: float
    calibrated_tiles: int
    evaluated_tiles: int
    evaluated_boxes: int
    size_bytes: int

    def as_dict(self) -> dict[str, float]:
        """For JSON and the file's metadata."""
        return asdict(self)


def export_int8(
    model: SidescanTargetDetector,
    path: Path,
    *,
    card: ModelCard,
    calibration: TileSet,
    evaluation: TileSet,
    size_px: int,
    progress: Progress | None = None,
) -> Int8Check:
    """Calibrate, score before and after, and write the file if it lost no more than `MOST_INT8_LOSS` AP50.

    Args:
        model: stays as it is.
        card: travels in the file.
        calibration: tiles that ranges are measured on.
        evaluation: labelled tiles that share nothing with them.
        size_px: tiles are seen at this size.

    Raises:
        ModelError: it lost more, with the figures, or the 32-bit model finds nothing that could be lost; nothing is
            written.
        DatasetError: a tile can no longer be read.
        OutputError: the file cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        export_onnx(model, plain, card=card)
        content = quantized(plain, _batches(calibration, size_px))
        small.write_bytes(with_int8_figures(content, {}, path))
        before, after = (
            evaluate_model(OnnxRuntime(file), evaluation, size_px=size_px, progress=progress or Silent())[0]
            for file in (plain, small)
        )
    check = Int8Check(
        ap50_float32=before.ap50,
        ap50_int8=after.ap50,
        ap50_lost=before.ap50 - after.ap50,
        ap50_95_lost=before.ap50_95 - after.ap50_95,
        calibrated_tiles=len(calibration),
        evaluated_tiles=len(evaluation),
        evaluated_boxes=before.boxes,
        size_bytes=len(content),
    )
    if not check.ap50_float32 > 0:
        raise ModelError(
            f"what 8 bits lose cannot be told: in 32 bits AP50 is 0 on {len(evaluation)} tiles with {before.boxes} "
            "boxes; nothing was written. Give --calibration tiles with labelled objects that the model finds"
        )
    if not check.ap50_lost <= MOST_INT8_LOSS:
        raise ModelError(
            f"8 bits lose {check.ap50_lost:.4f} AP50 ({before.ap50:.4f} to {after.ap50:.4f} on {len(evaluation)} "
            f"tiles with {before.boxes} boxes), allowed is {MOST_INT8_LOSS}; nothing was written. "
            "Calibrate with more tiles, or stay with 32 bits"
        )
    with atomic_write(path) as stream:
        stream.write(with_int8_figures(content, check.as_dict(), path))
    return check


def _batches(tiles: TileSet, size_px: int) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(tiles), BATCH):
        images = []
        for tile in tiles.tiles[start : start + BATCH]:
            image = read_grey(tile.path)
            if image is None:
                raise DatasetError(f"{tile.path} can no longer be read; restore the data set")
            images.append(letterbox(image, size_px)[0])
        yield np.stack(images)
