"""Variables that a timer needs and has no environment for: one file, for its user's eyes only."""

from collections.abc import Mapping
from pathlib import Path

from infra.errors import SettingsError
from infra.state_folder import state_folder, write_whole


def credentials_path() -> Path:
    """Where they are, kept or not."""
    return state_folder() / "credentials"


def keep_credentials(variables: Mapping[str, str]) -> Path:
    """Write them, instead of those kept before.

    Raises:
        SettingsError: a value with a line break, or the file cannot be written.
    """
    broken = [name for name, value in variables.items() if "\n" in value or "\r" in value]
    if broken:
        raise SettingsError(f"{', '.join(broken)} holds a line break and cannot be kept; set it on one line")
    path = credentials_path()
    try:
        write_whole(path, "".join(f"{name}={value}\n" for name, value in variables.items()))
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror})") from error
    return path


def read_credentials() -> dict[str, str]:
    """Those that are kept; none where there is no file.

    Raises:
        SettingsError: others can read the file, or we cannot.
    """
    path = credentials_path()
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(
                f"{path} is open to other users; chmod 600 it, and make a new key if they may have read it"
            )
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from error
    return {name: value for name, sign, value in (line.partition("=") for line in lines) if sign and name}


def forget_credentials() -> bool:
    """Remove the file; whether there was one."""
    path = credentials_path()
    there = path.exists()
    path.unlink(missing_ok=True)
    return there
