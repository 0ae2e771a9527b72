"""A secret is taken out of the environment, and stands nowhere afterwards."""

import os
import subprocess
import sys

import pytest

from app.secrets import SecretsManager


def test_taken_once_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONARSTACK_SEAL_KEY", "planted")
    assert SecretsManager().take("SONARSTACK_SEAL_KEY") == "planted"
    assert "SONARSTACK_SEAL_KEY" not in os.environ
    child = "import os; print('SONARSTACK_SEAL_KEY' in os.environ)"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("variables", [{}, {"KEY": ""}])
def test_what_was_not_told_is_none(variables: dict[str, str]) -> None:
    assert SecretsManager(variables).take("KEY") is None
