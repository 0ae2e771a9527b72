"""The rules that an `up` runs with: which targets have some, and the environment that their SDK wants to itself."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.errors import EngineError

PACK = "stacks/policy"
"""Below the project's folder."""
TARGETS = ("aws", "azure")
"""With rules of their own in it."""
DONE = ".sonarstack-pack"
"""Written last into the environment; holds what it was made from."""
MAKE_S = 600.0


def pack_words(folder: Path, target: str, make: Callable[[Path, Path], None] | None = None) -> list[str]:
    """Words for the engine that make it keep the rules; no setting of a stack takes them away.

    Args:
        folder: the project's.
        make: gets the environment's folder and the list of what goes into it; uv, or venv and pip, if None.

    Raises:
        EngineError: as `made_pack`.
    """
    if target not in TARGETS:
        return []
    made_pack(folder, make)
    return ["--policy-pack", PACK]


def made_pack(folder: Path, make: Callable[[Path, Path], None] | None = None) -> None:
    """Make the rules' environment, unless it is there as it should be.

    Raises:
        EngineError: it cannot be made.
    """
    pack = folder / PACK
    wanted, made = pack / "requirements.txt", pack / ".venv"
    digest = hashlib.sha256(f"{sys.version} {wanted.read_text()}".encode()).hexdigest()
    note = made / DONE
    if not note.is_file() or note.read_text() != digest:
        try:
            (make or _venv)(made, wanted)
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError(
                f"the rules that stop a wrong `up` need {' and '.join(_names(wanted))} in {PACK}/.venv, which cannot "
                f"be made here ({_why(error)}); let pip or uv reach their packages (a proxy, an index of your own), "
                "then try again"
            ) from error
        note.write_text(digest)


def _venv(made: Path, wanted: Path) -> None:
    sys.stderr.write(
        f"making {PACK}/.venv, once: the rules that stop a wrong `up` have an environment of their own\n"
    )
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        _run([sys.executable, "-m", "venv", "--clear", str(made)])
        install = [str(made / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check"]
    else:
        shutil.rmtree(made, ignore_errors=True)
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(made)])
        install = [uv, "pip", "install", "--python", str(made / "bin/python")]
    _run([*install, "--quiet", "-r", str(wanted)])


def _run(words: Sequence[str]) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=MAKE_S)  # noqa: S603 our own words


def _names(wanted: Path) -> list[str]:
    return [line.partition("==")[0] for line in wanted.read_text().splitlines() if "==" in line]


def _why(error: Exception) -> str:
    """Its last line."""
    text = str(getattr(error, "stderr", None) or error).strip()
    return text.splitlines()[-1] if text else type(error).__name__
