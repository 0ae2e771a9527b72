"""The side of a tile as a verb takes it."""

from app.errors import SettingsError


def require_size(size_px: int | None) -> None:
    """Refuse before the work what the network's strides do not divide.

    Raises:
        SettingsError: no positive multiple of 32.
    """
    from app.evaluation.evaluate import SIZE_MULTIPLE_PX

    if size_px is not None and (size_px < SIZE_MULTIPLE_PX or size_px % SIZE_MULTIPLE_PX):
        low = max(SIZE_MULTIPLE_PX, size_px // SIZE_MULTIPLE_PX * SIZE_MULTIPLE_PX)
        raise SettingsError(
            f"--size-px {size_px} must be a multiple of {SIZE_MULTIPLE_PX}; try {low} or {low + SIZE_MULTIPLE_PX}"
        )
