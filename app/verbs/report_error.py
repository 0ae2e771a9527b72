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
