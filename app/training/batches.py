"""The batches that a recipe asks for."""

from collections.abc import Sequence

from app.dataset.cache import PixelCache
from app.dataset.tile_batches import TileBatches
from app.dataset.tiles import TileSet
from app.training.recipe import TrainConfig


def recipe_batches(
    config: TrainConfig,
    tiles: TileSet,
    cache: PixelCache,
    indices: Sequence[int],
    *,
    epochs: float | None = None,
    part: int = 0,
    parts: int = 1,
) -> TileBatches:
    """Mosaics until the last part of the run, whole tiles then.

    Args:
        epochs: of the run; None for the recipe's.
        part, parts: see `TileBatches`.
    """
    return TileBatches(
        tiles,
        cache,
        indices,
        size_px=config.size_px,
        batch_size=config.batch_size,
        seed=config.seed,
        augmentation=config.augmentation,
        whole_tiles_from=(config.epochs if epochs is None else epochs) * (1 - config.plain_share),
        part=part,
        parts=parts,
    )
