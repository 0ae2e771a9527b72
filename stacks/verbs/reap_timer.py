"""python -m stacks reap --install: the same again and again, also when the project's stacks are long gone."""

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from infra.schedule import Timer

LOG = "reap.log"
TRIAL_WITHIN_S = 120.0


def install_timer(target: str | None, every_minutes: int, *, yes: bool) -> None:
    """Keep what its runs need, set the timer up, and try it once with as little environment as a timer has.

    Args:
        target: for whose sake; whatever it is, the timer looks after all that this machine knows to have rented.

    Raises:
        SettingsError: no Runpod key where one is needed, or this machine has no timers.
    """
    from infra.credentials import credentials_path, forget_credentials, keep_credentials, read_credentials
    from infra.errors import SettingsError
    from infra.schedule import install
    from stacks.clouds import needs_runpod
    from stacks.kept_variables import KEY, lacking, to_keep
    from stacks.verbs.console import say

    kept = to_keep(os.environ, read_credentials(), key=target in (None, "runpod"))
    if KEY not in kept and needs_runpod(target):
        kept = to_keep({**os.environ, KEY: _ask_key()}, {}, key=True)
    what = "the API key" if KEY in kept else ", ".join(kept)
    if kept and not yes and not _agreed(f"keep {what} in {credentials_path()}, for your eyes only?"):
        raise typer.Exit(1)
    timer = _timer(every_minutes)
    there_before = credentials_path().exists()
    if kept:
        keep_credentials(kept)
    try:
        by, notes = install(timer)
    except SettingsError:
        if kept and not there_before:
            forget_credentials()  # nothing would use it
        raise
    say(f"installed: {by} runs `python -m stacks reap` every {every_minutes} minutes; its log is {timer.log}")
    if kept:
        lies = "the key lies" if KEY in kept else f"{what}: kept"
        say(f"{lies} in {credentials_path()} (0600) and nowhere else; `reap --uninstall` removes both")
    if missed := lacking(os.environ):
        notes.append(
            f"{', '.join(missed)} of this shell is not kept: the timer asks by your profile or log-in on this machine "
            "(`aws configure`, `az login`)"
        )
    for note in notes:
        say(f"note: {note}")
    _try(timer)


def uninstall_timer() -> None:
    """Take timer and key away; fine if there is neither."""
    from infra.credentials import forget_credentials
    from infra.schedule import uninstall
    from stacks.verbs.console import say

    gone = uninstall()
    key = forget_credentials()
    if not gone and not key:
        say("nothing was installed")
        return
    say(f"removed: {', '.join([*gone, *(['the kept credentials'] if key else [])])}")


def _timer(every_minutes: int) -> "Timer":
    from infra.schedule import Timer
    from infra.state_folder import state_folder
    from stacks.live import PROJECT

    state = os.environ.get("XDG_STATE_HOME")
    return Timer(
        command=(sys.executable, "-m", "stacks", "reap", "--scheduled"),
        folder=str(PROJECT),
        variables={"XDG_STATE_HOME": state} if state else {},
        every_minutes=every_minutes,
        log=str(state_folder() / LOG),
    )


def _try(timer: "Timer") -> None:
    from stacks.verbs.console import say

    bare = {name: os.environ[name] for name in ("HOME", "LOGNAME", "USER") if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 our own words
            [*timer.command, "--dry-run"],
            cwd=timer.folder,
            env={**bare, "PATH": "/usr/bin:/bin", **timer.variables},
            capture_output=True,
            text=True,
            timeout=TRIAL_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        say(f"WARNING: it was tried once and did not end within {TRIAL_WITHIN_S:g} s")
        raise typer.Exit(1) from None
    if done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines()
        say(f"WARNING: it was tried once and failed: {words[-1] if words else f'code {done.returncode}'}")
        raise typer.Exit(1)
    say("tried once with a timer's environment: it works")


def _ask_key() -> str:
    from infra.errors import SettingsError
    from stacks.kept_variables import KEY

    if not sys.stdin.isatty():
        raise SettingsError(f"{KEY} is not set; export it, then `reap --install` again")
    return str(typer.prompt("Runpod API key", hide_input=True)).strip()


def _agreed(question: str) -> bool:
    from infra.errors import SettingsError

    if not sys.stdin.isatty():
        raise SettingsError("nobody can be asked here; add --yes")
    return typer.confirm(question, default=True)
