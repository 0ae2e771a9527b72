"""Fixtures of the tests beside this file."""

from tests.infra.aws_server import aws, moto_address
from tests.infra.azure.azurite import azurite_tls, azurite_tls_server

__all__ = ["aws", "azurite_tls", "azurite_tls_server", "moto_address"]
