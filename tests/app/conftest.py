"""Fixtures that several parts of the program's tests share."""

from tests.app.azure import azure, azure_machine, nobody, services
from tests.infra.azure.azurite import azurite, azurite_server, azurite_tls, azurite_tls_server

__all__ = [
    "azure",
    "azure_machine",
    "azurite",
    "azurite_server",
    "azurite_tls",
    "azurite_tls_server",
    "nobody",
    "services",
]
