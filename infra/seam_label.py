"""An image of one's own is asked which version of the seam it understands, before it is run or rented for."""

from collections.abc import Mapping

from infra.errors import SettingsError
from infra.specs import SEAM_LABEL, SEAM_VERSION


def check_seam(image: str, labels: Mapping[str, str]) -> None:
    """Nothing where it fits.

    Args:
        image: as it is named in the settings.
        labels: of the image, from Docker or from its registry.

    Raises:
        SettingsError: it carries no version, or another one.
    """
    found = labels.get(SEAM_LABEL)
    if found == str(SEAM_VERSION):
        return
    says = f"says {SEAM_LABEL}={found}" if found else f"has no label {SEAM_LABEL}"
    raise SettingsError(
        f"sonarstack:image={image!r} {says}, this stack speaks version {SEAM_VERSION}; "
        "build it from images/ of the same sources, or leave the setting out"
    )
