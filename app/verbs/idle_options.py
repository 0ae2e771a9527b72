"""Options of `evaluate` that would change nothing are refused: whoever gives them expects something of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.errors import SettingsError


def require_tiles_use(
    data: str | None, *, split: str | None, threshold: float | None, size_px: int | None, skip_bad: bool
) -> None:
    """Refuse options of a score on labelled tiles where there are none.

    Raises:
        SettingsError: they are given without tiles.
    """
    of_tiles = {
        "--split": split is not None,
        "--threshold": threshold is not None,
        "--size-px": size_px is not None,
        "--skip-bad": skip_bad,
    }
    if data is None and any(of_tiles.values()):
        raise SettingsError(
            f"{_given(of_tiles)} can do nothing without labelled tiles; add --data FOLDER, or leave that out"
        )


def require_search_use(
    wanted_per_km2: float | None,
    *,
    keep: bool,
    recordings: Sequence[Path] | None,
    stretches: Path | None,
    crs: str | None,
    empty_km2: float | None,
) -> None:
    """Refuse options of a search for false alarms that would change nothing.

    Raises:
        SettingsError: they are given without a rate, without the recordings they tell of, or leave no seabed.
    """
    of_recordings = {"--stretches": stretches is not None, "--crs": crs is not None}
    of_search = {
        "--keep": keep,
        "--recordings": bool(recordings),
        **of_recordings,
        "--empty-km2": empty_km2 is not None,
    }
    if wanted_per_km2 is None and any(of_search.values()):
        raise SettingsError(
            f"{_given(of_search)} can do nothing without a rate of false alarms; add --false-alarms-per-km2 N, "
            "or leave that out"
        )
    if not recordings and any(of_recordings.values()):
        raise SettingsError(
            f"{_given(of_recordings)} can do nothing without recordings; add --recordings PATH, or leave that out"
        )
    if not recordings and empty_km2 == 0:
        raise SettingsError(
            "--empty-km2 0 without recordings leaves no seabed to look at; add --recordings PATH, or give more km2"
        )


def _given(options: Mapping[str, bool]) -> str:
    return ", ".join(name for name, given in options.items() if given)
