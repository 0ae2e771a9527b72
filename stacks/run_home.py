"""Where a stack's data lies and its run comes home to, on this machine; the same for every target."""

from pathlib import Path

from infra.errors import SettingsError
from stacks.configs import StackSettings

PROJECT = Path(__file__).resolve().parents[1]


def home_of(settings: StackSettings, stack: str) -> Path:
    """Where the run is, or comes home to; another run has another folder, since one that is complete stays so."""
    name = settings.home or f"runs/{stack}"
    return (PROJECT / (f"{name}-{settings.rerun}" if settings.rerun else name)).resolve()


def data_folder(settings: StackSettings, *, planned: bool = False) -> Path | None:
    """Absolute folder of the tiles; None where the program fetches them itself.

    Args:
        planned: for a look: one that is not there is named so, instead of refused.

    Raises:
        SettingsError: it is not there.
    """
    if settings.data_is_remote:
        return None
    folder = (PROJECT / Path(settings.data_url).expanduser()).resolve()
    if not folder.is_dir():
        if planned:
            return folder.with_name(f"{folder.name} (missing)")
        raise SettingsError(
            f"sonarstack:dataUrl={settings.data_url!r} is no folder here; give one of labelled tiles, "
            f"or make simulated ones: .venv/bin/python -m app simulate --tiles 240 --out {settings.data_url}"
        )
    return folder
