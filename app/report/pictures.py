"""Pictures inside the page, as data addresses, within a budget of bytes."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from app.survey.contact import Contact
from app.survey.result import SurveyResult
from app.survey.strip import Picture

THUMBNAIL_QUALITY = 82
WATERFALL_QUALITY = 68
THUMBNAIL_BUDGET_BYTES = 12_000_000
"""About 1,500 contacts; those with the best scores have pictures."""
WATERFALL_BUDGET_BYTES = 16_000_000
"""Pictures of waterfalls are made smaller until they fit together."""


def data_uri(image_HW: Picture, quality: int) -> str:
    """A grey picture as WebP in a data address."""
    done, encoded = cv2.imencode(".webp", image_HW, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {image_HW.shape} cannot be encoded; it must have pixels")
    return "data:image/webp;base64," + base64.b64encode(np.asarray(encoded).tobytes()).decode("ascii")


def thumbnails(contacts: tuple[Contact, ...], budget_bytes: int = THUMBNAIL_BUDGET_BYTES) -> dict[str, str]:
    """Data addresses by contact identifier, best scores first until the budget is used up."""
    pictures: dict[str, str] = {}
    used = 0
    for contact in sorted(contacts, key=lambda c: -c.score):
        address = data_uri(contact.thumbnail, THUMBNAIL_QUALITY)
        if used + len(address) > budget_bytes:
            break
        used += len(address)
        pictures[contact.identifier] = address
    return pictures


@dataclass(frozen=True, kw_only=True, slots=True)
class WaterfallPicture:
    """A file's waterfall lying on its side: pings to the right, port above starboard."""

    address: str
    width_px: int
    height_px: int


def waterfalls(
    result: SurveyResult, budget_bytes: int = WATERFALL_BUDGET_BYTES
) -> list[WaterfallPicture | None]:
    """One picture per file, None where nothing was read; all of them within the budget."""
    shown = [file.preview for file in result.files]
    share = budget_bytes / max(1, sum(preview is not None for preview in shown))
    return [None if p is None else _waterfall(p.image_HW, share) for p in shown]


def _waterfall(image_HW: Picture, budget_bytes: float) -> WaterfallPicture:
    # Transposed, not turned: the far edge of port, which is column 0, comes to lie on top.
    lying = np.ascontiguousarray(image_HW.T)
    height, width = lying.shape
    while True:
        address = data_uri(lying, WATERFALL_QUALITY)
        if len(address) <= budget_bytes or min(lying.shape) < 64:
            return WaterfallPicture(address=address, width_px=width, height_px=height)
        half = max(1, lying.shape[1] // 2), max(1, lying.shape[0] // 2)
        lying = np.asarray(cv2.resize(lying, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
