"""python -m stacks pin: read the digests of the base images from their registries, and write them down."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.verbs import options

if TYPE_CHECKING:
    import httpx

IMAGES = Path(__file__).resolve().parents[2] / "images"
BASES = "bases.yaml"


def pin(as_json: options.Json = False) -> None:
    """Pin every base image to what its tag points at now; all of them or none."""
    import httpx

    from stacks.verbs.console import say, say_json

    with httpx.Client(timeout=30.0, follow_redirects=True) as client:
        pinned = pin_bases(IMAGES, client)
    if as_json:
        say_json(pinned)
        return
    for image, digest in pinned.items():
        say(f"{image}@{digest}")


def pin_bases(folder: Path, client: "httpx.Client") -> dict[str, str]:
    """Image to digest; the one place and the Dockerfiles' defaults are rewritten once all are known.

    Raises:
        RegistryError: one of them cannot be had; nothing is changed.
    """
    import yaml

    from infra.registry import digest_of

    path = folder / BASES
    text = path.read_text()
    pinned = {base["image"]: digest_of(client, base["image"]) for base in yaml.safe_load(text).values()}
    for image, digest in pinned.items():
        # Line by line, not by a YAML writer, which would lose the comments.
        text = re.sub(rf"(image: {re.escape(image)}\n\s+digest: )\S+", rf"\g<1>{digest}", text)
        for dockerfile in folder.glob("*/Dockerfile"):
            _rewrite(
                dockerfile,
                re.sub(
                    rf"^(ARG BASE_IMAGE={re.escape(image)})(@\S+)?$",
                    rf"\g<1>@{digest}",
                    dockerfile.read_text(),
                    flags=re.MULTILINE,
                ),
            )
    _rewrite(path, text)
    return pinned


def _rewrite(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text)
    unfinished.replace(path)
