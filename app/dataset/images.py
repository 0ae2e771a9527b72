"""Image files as grey pixels, and the perceptual hash that tells near copies."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
HASH_BITS = 256
_HASH_INPUT_PX, _HASH_SIDE = 64, 16
_EVEN_DEVIATION = 2.0
"""Grey levels; an image more even than this (after shrinking) has no content to compare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """What one decoding tells about an image; its pixels are not kept."""

    height_px: int
    width_px: int
    fingerprint: bytes
    """Perceptual hash of `HASH_BITS` bits; empty for an even image, which resembles all others like it."""


def read_grey(path: Path) -> NDArray[np.uint8] | None:
    """An image as grey (H, W) uint8; None if it cannot be decoded to its end, or is larger than OpenCV takes.

    Deeper integers are shifted until their largest value fits, other numbers scaled by their largest value.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError:
        return None
    if len(data) == 0:
        return None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # of a side beyond 2^20 pixels, or more than 2^30 in all
        return None
    if image is None or image.size == 0:
        return None
    if image.dtype == np.uint8:
        return np.asarray(image)
    if image.dtype == np.uint16:
        # Sonar programs store 12 bits in 16: the type's own maximum would leave a black picture.
        return np.asarray(image >> max(0, int(image.max()).bit_length() - 8), dtype=np.uint8)
    finite = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(finite * (255 / max(float(finite.max()), 1e-9)), 0, 255), dtype=np.uint8)


def perceptual_hash(image_HW: NDArray[np.uint8]) -> bytes:
    """Signs of the 256 lowest frequencies against their median; empty for an even image.

    Near copies (other compression, size, gain) differ in up to about 50 bits, the same object in another pass in
    up to 72, unrelated tiles in about 128; difference hashes of the same length chained unrelated tiles.
    Source: Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", the DCT hash.
    """
    size = (_HASH_INPUT_PX, _HASH_INPUT_PX)
    small = cv2.resize(image_HW, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if small.std() < _EVEN_DEVIATION:
        return b""
    low = cv2.dct(small)[:_HASH_SIDE, :_HASH_SIDE].ravel()
    return np.packbits(low > np.median(low)).tobytes()


def image_facts(path: Path) -> ImageFacts | None:
    """Size and hash of one image; None if it cannot be decoded."""
    image = read_grey(path)
    if image is None:
        return None
    height, width = image.shape
    return ImageFacts(height_px=height, width_px=width, fingerprint=perceptual_hash(image))


def examine(paths: Iterable[Path]) -> dict[Path, ImageFacts | None]:
    """Facts of many images, decoded in parallel threads."""
    listed = list(paths)
    with ThreadPoolExecutor(thread_name_prefix="examine") as pool:
        return dict(zip(listed, pool.map(image_facts, listed), strict=True))


def image_files(root: Path) -> Iterator[Path]:
    """Image files below a folder in order of their paths; hidden files and folders are left out."""
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file():
            yield path
