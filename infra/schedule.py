"""A command of ours every few minutes, by this user's systemd where it answers, else by cron. Knows no cloud.

Only what carries our mark is ever changed or removed, and nothing secret stands in a unit or a crontab: the command
reads that from infra/credentials.py.
"""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.errors import SettingsError

MARK = "# made by sonarstack: reap"
"""At the end of a crontab's line, at the head of a unit."""
UNIT = "sonarstack-reap"
ANSWERS_WITHIN_S = 20.0
NO_CRONTAB = ("no crontab", "can't open")
"""How cron says that this user has none: Vixie cron and cronie; busybox."""

By = Literal["systemd", "cron"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timer:
    """A command that runs again and again."""

    command: tuple[str, ...]
    folder: str
    """Where it runs."""
    variables: Mapping[str, str]
    """Its environment beside the timer's own; nothing secret."""
    every_minutes: int
    log: str
    """File that its output is added to."""

    def __post_init__(self) -> None:
        if not 1 <= self.every_minutes <= 60:
            raise SettingsError(f"--every-minutes {self.every_minutes} must be 1 to 60")
        for text in (*self.command, self.folder, self.log, *self.variables.values()):
            if "\n" in text:
                raise SettingsError(f"{text!r} holds a line break; a timer cannot run from such a path")


def install(timer: Timer) -> tuple[By, list[str]]:
    """Set it up, in the place of one that is there; by what, and what to know of it.

    Raises:
        SettingsError: this machine has neither, or refuses.
    """
    if _answers("systemctl", "--user", "show-environment"):
        uninstall()
        notes = _install_units(timer)
        return "systemd", notes
    table = _crontab()
    if table is None:
        raise SettingsError(
            "this machine has neither systemd for users nor cron; install cron, or run the command by hand: "
            f"{shlex.join(timer.command)}"
        )
    _write_crontab([*_without_ours(table), cron_line(timer)])
    return "cron", ["cron runs it whether or not you are logged in, as long as cron itself runs"]


def uninstall() -> list[By]:
    """Remove it wherever it is; from where.

    Raises:
        SettingsError: cron or systemd refuse.
    """
    gone: list[By] = []
    units = [path for path in _unit_paths() if path.is_file() and path.read_text().startswith(MARK)]
    if units:
        _run("systemctl", "--user", "disable", "--now", f"{UNIT}.timer", tolerate=True)
        for path in units:
            path.unlink()
        _run("systemctl", "--user", "daemon-reload", tolerate=True)
        gone.append("systemd")
    table = _crontab()
    if table is not None and (kept := _without_ours(table)) != table:
        _write_crontab(kept)
        gone.append("cron")
    return gone


def installed() -> list[By]:
    """Where it is set up now.

    Raises:
        SettingsError: cron refuses to tell.
    """
    found: list[By] = ["systemd"] if any(path.is_file() for path in _unit_paths()) else []
    table = _crontab()
    return [*found, "cron"] if table is not None and _without_ours(table) != table else found


def cron_line(timer: Timer) -> str:
    """The crontab's line, mark included."""
    minutes = "0" if timer.every_minutes == 60 else f"*/{timer.every_minutes}"
    variables = [f"{name}={value}" for name, value in timer.variables.items()]
    # By env, since a crontab may have set another shell that knows no assignments before a command.
    command = shlex.join([*(["env", *variables] if variables else []), *timer.command])
    text = f"cd {shlex.quote(timer.folder)} && {command} >>{shlex.quote(timer.log)} 2>&1"
    # In a crontab a bare % is a line break, even within quotes.
    return f"{minutes} * * * * {text.replace('%', chr(92) + '%')} {MARK}"


def unit_texts(timer: Timer) -> dict[str, str]:
    """Unit's file name to its text."""
    variables = "".join(f"Environment={_unit_word(f'{n}={v}')}\n" for n, v in timer.variables.items())
    command = " ".join(_unit_word(word.replace("$", "$$")) for word in timer.command)
    return {
        f"{UNIT}.service": (
            f"{MARK}\n[Unit]\nDescription=sonarstack: ends rented machines whose lease has run out\n\n"
            f"[Service]\nType=oneshot\nWorkingDirectory={_unit_path(timer.folder)}\n{variables}"
            f"ExecStart={command}\nTimeoutStartSec=600\n"
            f"StandardOutput=append:{_unit_path(timer.log)}\nStandardError=append:{_unit_path(timer.log)}\n"
        ),
        f"{UNIT}.timer": (
            f"{MARK}\n[Unit]\nDescription=sonarstack: looks every {timer.every_minutes} minutes\n\n"
            f"[Timer]\nOnBootSec=1min\nOnActiveSec=1min\nOnUnitActiveSec={timer.every_minutes}min\n\n"
            "[Install]\nWantedBy=timers.target\n"
        ),
    }


def _install_units(timer: Timer) -> list[str]:
    texts = dict(zip(_unit_paths(), unit_texts(timer).values(), strict=True))
    for path in texts:
        if path.is_file() and not path.read_text().startswith(MARK):
            raise SettingsError(f"{path} is there and not of this project; move it away, then install again")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    _run("systemctl", "--user", "daemon-reload")
    _run("systemctl", "--user", "enable", "--now", f"{UNIT}.timer")
    return [
        "it runs while you are logged in; `loginctl enable-linger` lets it run on when you are not",
    ]


def _unit_paths() -> list[Path]:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path(os.environ.get("HOME") or Path.home()) / ".config")
    return [Path(base) / "systemd" / "user" / f"{UNIT}.{kind}" for kind in ("service", "timer")]


def _unit_path(text: str) -> str:
    """A path as a unit has it, unquoted; its % would begin a specifier."""
    return text.replace("%", "%%")


def _unit_word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_unit_path(escaped)}"'


def _crontab() -> list[str] | None:
    """This user's lines; None where there is no cron.

    Raises:
        SettingsError: they cannot be read, so that nothing may be written over them.
    """
    try:
        done = subprocess.run(
            ["crontab", "-l"],  # noqa: S607 the system's own
            capture_output=True,
            text=True,
            timeout=ANSWERS_WITHIN_S,
            check=False,
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise SettingsError("crontab -l does not answer; nothing was changed") from error
    if done.returncode == 0:
        return done.stdout.splitlines()
    if any(words in done.stderr.lower() for words in NO_CRONTAB):
        return []
    raise SettingsError(f"crontab -l failed ({_last(done.stderr)}); nothing was changed")


def _write_crontab(lines: Sequence[str]) -> None:
    _run("crontab", "-", text="".join(f"{line}\n" for line in lines))


def _without_ours(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if not line.endswith(MARK)]


def _answers(*words: str) -> bool:
    try:
        done = subprocess.run(words, capture_output=True, timeout=ANSWERS_WITHIN_S, check=False)  # noqa: S603
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(*words: str, text: str = "", tolerate: bool = False) -> None:
    try:
        done = subprocess.run(  # noqa: S603 our own words
            words, input=text, capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        if tolerate:
            return
        raise SettingsError(f"{shlex.join(words)} failed ({type(error).__name__})") from error
    if done.returncode and not tolerate:
        raise SettingsError(f"{shlex.join(words)} failed: {_last(done.stderr)}")


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it gave no reason"])[-1]
