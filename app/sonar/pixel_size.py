"""How large a pixel of the corrected picture is: one rule, since a model must be trained on what it will be shown."""

FINEST_PIXEL_M = 0.08
"""Automatic pixels are not smaller: a target of half a metre keeps six of them."""
COARSEST_PIXEL_M = 0.25
"""Automatic pixels are not larger: where pings lie further apart, rows are interpolated between them."""


def automatic_pixel_m(
    sample_m: float,
    spacing_m: float | None,
    *,
    finest_m: float = FINEST_PIXEL_M,
    coarsest_m: float = COARSEST_PIXEL_M,
) -> float:
    """The coarser of the distances between samples and between pings, between the finest and the coarsest pixel.

    Args:
        spacing_m: distance between pings; None where unknown.
    """
    pixel_m = min(max(sample_m, spacing_m or 0.0, finest_m), coarsest_m)
    # A sample spacing above the coarsest pixel has no more detail to give.
    return max(pixel_m, sample_m)
