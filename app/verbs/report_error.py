"""An expected error for the person at the terminal."""

import sys

from app.errors import DatasetError, SonarstackError

DEFECTS_SHOWN = 200


def report(error: SonarstackError) -> None:
    """One line on standard error; of a data set, every defect with its file before it."""
    if isinstance(error, DatasetError):
        for line in error.defects[:DEFECTS_SHOWN]:
            sys.stderr.write(f"  {line}\n")
        if len(error.defects) > DEFECTS_SHOWN:
            sys.stderr.write(f"  ... and {len(error.defects) - DEFECTS_SHOWN} more\n")
    sys.stderr.write(f"error: {error}\n")


def report_refusal(error: OSError) -> None:
    """One line for what the system refuses in a place that has no words of its own for it."""
    reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
    if error.filename is None:  # a full disk or a cut connection names no file
        sys.stderr.write(f"error: {reason}; check the disk and the connection\n")
    else:
        sys.stderr.write(f"error: {error.filename}: {reason}; check the path and the rights\n")
