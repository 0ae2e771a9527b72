"""The pulumi program: found, fetched, given its passphrase, run.

Fetching was tried with a stand-in only: Pulumi's installer comes from a host that not every network lets through.
"""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.errors import EngineError, SettingsError

PASSPHRASE_FILE = ".pulumi-passphrase"  # noqa: S105 a file's name
OWN_ENGINE = ".pulumi/engine"
"""Where `make engine` puts it, below the project's folder."""
WITHOUT_SECRETS = ("local",)
"""Targets whose state holds nothing secret."""
MISSING = "the pulumi program is missing; `make engine` gets it by Pulumi's own installer"


def find_engine(folder: Path, variables: Mapping[str, str]) -> Path:
    """The pulumi program: on PATH, in ~/.pulumi/bin, or the project's own.

    Raises:
        EngineError: it is in none of them.
    """
    on_path = shutil.which("pulumi", path=variables.get("PATH", ""))
    home = Path(variables.get("HOME", str(Path.home())))
    places = [
        *([Path(on_path)] if on_path else []),
        home / ".pulumi/bin/pulumi",
        folder / OWN_ENGINE / "bin/pulumi",
    ]
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
    raise EngineError(MISSING)


def install_engine(folder: Path, install: Callable[[str], Any] | None = None) -> Path:
    """Fetch the engine that fits the SDK, unless one is there; where it is.

    Args:
        folder: the project's.
        install: gets the folder to install into; the Automation API's installer if None.

    Raises:
        EngineError: it cannot be fetched.
    """
    try:
        return find_engine(folder, os.environ)
    except EngineError:
        pass
    try:
        (install or _pulumis_installer)(str(folder / OWN_ENGINE))
    except Exception as error:  # the installer raises whatever its scripts meet
        raise EngineError(
            f"Pulumi's installer failed ({type(error).__name__}); get the program from pulumi.com/docs/install, "
            "or from your own mirror, and put it on PATH"
        ) from error
    return find_engine(folder, os.environ)


def engine_variables(folder: Path, target: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The engine's environment: its own program's folder first, a passphrase, and no questions about updates.

    One's own PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE is honoured; without either a passphrase is
    made, in a file that only its user can read.

    Raises:
        EngineError: no engine.
        SettingsError: an empty passphrase for a target that holds secrets.
    """
    made = dict(variables)
    engine = find_engine(folder, variables)
    # The language host and our Python must be found beside it, whatever PATH says.
    made["PATH"] = f"{engine.parent}{os.pathsep}{variables.get('PATH', '')}"
    made.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    text = variables.get("PULUMI_CONFIG_PASSPHRASE")
    file = variables.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if text is None and not file:
        file = str(passphrase_file(folder))
        made["PULUMI_CONFIG_PASSPHRASE_FILE"] = file
    if text is None and file:
        try:
            text = Path(file).read_text().strip()
        except OSError as error:
            raise SettingsError(
                f"PULUMI_CONFIG_PASSPHRASE_FILE={file} cannot be read ({error.strerror}); check the path"
            ) from error
    if not text and target not in WITHOUT_SECRETS:
        raise SettingsError(
            f"the passphrase is empty, and target {target} keeps secrets in its state; set PULUMI_CONFIG_PASSPHRASE, "
            f"or remove {file or 'it'} and let one be made"
        )
    return made


def passphrase_file(folder: Path) -> Path:
    """The project's own passphrase; made at the first call, for this user's eyes only."""
    path = folder / PASSPHRASE_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")
    return path


def run_engine(
    folder: Path, words: Sequence[str], variables: Mapping[str, str], *, quiet: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `pulumi WORDS` in the project's folder; its output goes where ours goes unless `quiet` keeps it.

    Raises:
        EngineError: the program is missing.
    """
    command = [str(find_engine(folder, variables)), *words]
    pipe = subprocess.PIPE if quiet else None
    with subprocess.Popen(  # noqa: S603 our own words
        command, cwd=folder, env=dict(variables), text=True, stdout=pipe, stderr=pipe
    ) as process:
        while True:
            try:
                out, err = process.communicate()
                return subprocess.CompletedProcess(command, process.returncode, out or "", err or "")
            except KeyboardInterrupt:
                # The engine heard it too, and tells its providers: killed meanwhile, it would forget what it rented.
                continue


def stack_outputs(folder: Path, stack: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """What the stack's last up told.

    Raises:
        EngineError: there is no such stack, or it was never up.
    """
    done = run_engine(
        folder, ["stack", "output", "--json", "--stack", stack, "--non-interactive"], variables, quiet=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("error: ")
        raise EngineError(
            f"stack {stack} tells nothing ({reason}); bring it up first: python -m stacks up {stack}"
        )
    outputs = json.loads(done.stdout or "{}")
    if not outputs:
        raise EngineError(f"stack {stack} is not up; bring it up first: python -m stacks up {stack}")
    return dict(outputs)


def _pulumis_installer(root: str) -> Any:
    from pulumi.automation import PulumiCommand

    return PulumiCommand.install(root=root)
