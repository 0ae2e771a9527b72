"""A pod's paths on this machine: links into the simulator's folders, within one folder that may hold them."""

import os
from collections.abc import Iterable
from pathlib import Path

from infra.runpod.simulator.assumptions import follows
from infra.runpod.simulator.problems import Problem


@follows("paths-are-links")
def check(path: str, allowed: Path, target: Path, taken: Iterable[Path]) -> Path:
    """Where the link would be.

    Args:
        path: as the request has it.
        allowed: what it must lie in.
        target: what it will show.
        taken: links that other pods have.

    Raises:
        Problem: 400, it cannot be there.
    """
    place = Path(os.path.normpath(path))
    if not place.is_absolute() or not _inside(place, allowed):
        raise Problem(
            400,
            f"the simulator links mount paths on this machine, and {path} lies outside of {allowed}; "
            "mount within it, or start the simulator with another --allowed",
        )
    if place.is_symlink():
        if place.readlink() != target and place in set(taken):
            raise Problem(400, f"another simulated pod has {path} on this machine for another volume")
    elif place.exists():
        raise Problem(400, f"{path} exists on this machine and is no link of the simulator's; remove it")
    return place


def link(place: Path, target: Path) -> None:
    """Make it show the target, at once."""
    target.mkdir(parents=True, exist_ok=True)
    if place.is_symlink() and place.readlink() == target:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(place)


def unlink(place: Path, target: Path) -> None:
    """Remove it, if it shows that target."""
    if place.is_symlink() and place.readlink() == target:
        place.unlink()


def _inside(place: Path, allowed: Path) -> bool:
    # The last part is our own link and is not followed; those above are.
    real = place.parent.resolve() / place.name
    return real != allowed.resolve() and real.is_relative_to(allowed.resolve())
