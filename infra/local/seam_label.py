"""An image of one's own is asked which version of the seam it understands, before a container is made of it."""

from collections.abc import Mapping

from infra.errors import SettingsError
from infra.specs import SEAM_LABEL, SEAM_VERSION


def check_seam(image: str, labels: Mapping[str, str] | None) -> str | None:
    """What there is to say about an image; None where it fits.

    Args:
        image: as it is named in the settings.
        labels: what Docker says about it; None for an image that has to be pulled first, which its own entrypoint
            then compares.

    Raises:
        SettingsError: it carries no version, or another one.
    """
    if labels is None:
        return (
            f"{image} is not on this machine yet; its entrypoint compares the seam's version when it starts"
        )
    found = labels.get(SEAM_LABEL)
    if found == str(SEAM_VERSION):
        return None
    says = f"says {SEAM_LABEL}={found}" if found else f"has no label {SEAM_LABEL}"
    raise SettingsError(
        f"sonarstack:image={image!r} {says}, this stack speaks version {SEAM_VERSION}; "
        "build it from images/ of the same sources, or leave the setting out"
    )
