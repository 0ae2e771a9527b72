"""What verbs print: results on standard output, everything else on standard error."""

import json
import sys
from typing import Any


def say(text: str = "") -> None:
    """A line of the result."""
    sys.stdout.write(f"{text}\n")


def say_json(value: Any) -> None:
    """The result for another program."""
    say(json.dumps(value, indent=1, default=str))


def warn(text: str) -> None:
    """A line that is not the result."""
    sys.stderr.write(f"{text}\n")
