"""Every error a user can cause, one line each: what was given, what is allowed, what to do.

SonarstackError
├── SettingsError    a setting, an option or a configuration file
├── DeviceError      a device that is not there or too small
├── SonarFileError   a recording that cannot be read
├── DatasetError     labelled tiles with defects (all of them listed)
├── ModelError       weights or an exported model that do not fit
├── RunError         a run folder that cannot be continued or read
│   └── EndedEarlyError  a training that ended before its model was good
├── SealError        sealed data or a sealed run that cannot be opened
└── OutputError      a result that cannot be written (full disk, read-only folder)
"""

from app.exit_codes import ExitCode


class SonarstackError(Exception):
    """Base of all expected errors; its text is one line for the person at the terminal."""

    exit_code = ExitCode.FAILED


class SettingsError(SonarstackError):
    """A setting, an option or a configuration file is wrong."""

    exit_code = ExitCode.USAGE


class DeviceError(SonarstackError):
    """A named device is missing, or has too little memory for one sample."""


class SonarFileError(SonarstackError):
    """A recording cannot be read at all; a bad block inside one is counted instead."""


class DatasetError(SonarstackError):
    """Labelled tiles have defects; `defects` holds one line per defect."""

    def __init__(self, message: str, defects: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.defects = defects


class ModelError(SonarstackError):
    """A model file is damaged, of another version, or of another kind than asked for."""


class RunError(SonarstackError):
    """A run folder is incomplete, damaged, or belongs to another job."""


class EndedEarlyError(RunError):
    """A training ended before its model was good, with the exit code that it would have had by itself."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = code


class SealError(SonarstackError):
    """Sealed data or a sealed run cannot be opened: no key, another key, or a damaged file."""


class OutputError(SonarstackError):
    """A result cannot be written; nothing half-written is left behind."""
