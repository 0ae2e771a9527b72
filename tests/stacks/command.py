"""`python -m stacks ...` within the test's own process: same words, streams and exit codes, without the start-up."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from unittest import mock

from stacks.__main__ import main


@dataclass(frozen=True, kw_only=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def stacks(*words: str, variables: Mapping[str, str | None] | None = None) -> Done:
    """Run a verb to its end; a variable that is None is not set."""
    told = {**os.environ, "COLUMNS": "200", **(variables or {})}
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        mock.patch.dict(os.environ, {k: v for k, v in told.items() if v is not None}, clear=True),
        mock.patch.object(sys, "argv", ["stacks", *words]),
        mock.patch.object(sys, "stdin", io.StringIO()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Done(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())
