"""Where the verbs write: results on standard output, one JSON document where asked."""

import json
import sys
from typing import Any

from rich.console import Console


def say(what: Any) -> None:
    """Print text, a table or a tree; no colours and no wrapping to 80 columns where it goes into a file."""
    console = Console(
        soft_wrap=isinstance(what, str), highlight=False, width=None if sys.stdout.isatty() else 140
    )
    console.print(what, markup=False) if isinstance(what, str) else console.print(what)


def say_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")
