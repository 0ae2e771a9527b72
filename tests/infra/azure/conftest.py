"""Fixtures of the tests beside this file."""

from tests.infra.azure.azurite import azurite, azurite_server, azurite_tls, azurite_tls_server

__all__ = ["azurite", "azurite_server", "azurite_tls", "azurite_tls_server"]
