"""Fixtures that several parts of infra share."""

from tests.sshd import sshd

__all__ = ["sshd"]
