"""A run's manifest: the checksums the program wrote at its last stop.

tests/test_seam.py compares these rules with the program's own.
"""

import json
from pathlib import Path

from infra.errors import RunHomeError
from infra.hosts.tree import local_tree

RECORD, MANIFEST = "run.json", "manifest.json"
UNFINISHED = ".part"
"""Suffix of a file that is being written."""
NOT_LISTED = (".*", f"*{UNFINISHED}")


def differences(run: Path) -> list[str]:
    """Every difference between the manifest and the folder, one line each; empty where all agree.

    Raises:
        RunHomeError: there is no manifest, or it is damaged.
    """
    told = read_manifest(run)[1]
    here = {name: digest for name, digest in local_tree(run, NOT_LISTED).items() if name != MANIFEST}
    found = [f"{name} is missing" for name in told if name not in here]
    found += [f"{name} differs" for name in told if name in here and here[name] != told[name]]
    return found + [f"{name} is not in the manifest" for name in here if name not in told]


def read_manifest(run: Path) -> tuple[bool, dict[str, str]]:
    """Whether the job is done, and the checksums by path.

    Raises:
        RunHomeError: see `differences`.
    """
    path = run / MANIFEST
    try:
        content = json.loads(path.read_text())
        return bool(content["complete"]), {str(k): str(v) for k, v in content["files"].items()}
    except FileNotFoundError as error:
        raise RunHomeError(f"{path} is missing: the run was killed before it could write one") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunHomeError(f"{path} is damaged ({type(error).__name__})") from error
