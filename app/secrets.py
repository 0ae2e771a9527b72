"""Secrets of a run: what is told in its environment, which is memory and no file; the only other reader of it."""

import os
from collections.abc import MutableMapping

SEAL_KEY = "SONARSTACK_SEAL_KEY"
"""The age identity of a sealed run; comes over SSH, into this process alone."""


class SecretsManager:
    """Looks into the environment; a cloud's own secret store comes with the cloud that has one."""

    def __init__(self, variables: MutableMapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def take(self, name: str) -> str | None:
        """The secret, out of the environment, so that no program started from here inherits it; None if not told."""
        return self._variables.pop(name, None) or None
