"""Fixtures of the tests beside this file."""

from tests.infra.aws_server import aws, moto_address

__all__ = ["aws", "moto_address"]
