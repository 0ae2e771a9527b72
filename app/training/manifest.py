"""The manifest of a run: checksums of everything in its folder, and whether the job is done."""

import json
from pathlib import Path

from app.errors import RunError
from app.storage import UNFINISHED, sha256_file, write_json

MANIFEST = "manifest.json"


def write_manifest(run: Path, *, complete: bool) -> None:
    """Write the checksums of everything that is in the folder now."""
    files = {name: sha256_file(path) for name, path in run_files(run).items()}
    write_json(run / MANIFEST, {"complete": complete, "files": files})


def is_complete(run: Path) -> bool:
    """Whether the manifest says that the job is done; see `verify_manifest` for what is raised."""
    complete, _ = _read(run)
    return complete


def verify_manifest(run: Path) -> list[str]:
    """Every difference between the manifest and the folder, one line each; empty where all agree.

    Raises:
        RunError: there is no manifest, or it is damaged.
    """
    _, told = _read(run)
    here = run_files(run)
    problems = [f"{name} is missing" for name in told if name not in here]
    problems += [f"{name} differs" for name in told if name in here and sha256_file(here[name]) != told[name]]
    return problems + [f"{name} is not in the manifest" for name in here if name not in told]


def run_files(run: Path) -> dict[str, Path]:
    """Files of a run by their path in it; the manifest, hidden and unfinished ones left out."""
    return {
        p.relative_to(run).as_posix(): p
        for p in sorted(run.rglob("*"))
        if p.is_file() and p.name != MANIFEST and not p.name.startswith(".") and p.suffix != UNFINISHED
    }


def _read(run: Path) -> tuple[bool, dict[str, str]]:
    path = run / MANIFEST
    try:
        content = json.loads(path.read_text())
        return bool(content["complete"]), {str(k): str(v) for k, v in content["files"].items()}
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: the run has not stopped yet, or was killed; resume it") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} is damaged ({type(error).__name__}); restore it from the run's mirror, or resume the run"
        ) from error
