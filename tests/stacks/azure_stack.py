"""The Azure stack as its program declares it, once for each way it is set."""

from functools import cache
from typing import Any

from infra.azure.preflight import Account
from stacks.azure import deploy, program_to_plan
from stacks.configs import AzureSettings
from stacks.mock_run import Declared, declare
from stacks.settings import parse_settings

DATA = "app/config/environments"
"""A folder that is here; that it holds no tiles is the program's to find."""


def settings(**changed: Any) -> AzureSettings:
    texts = {"target": "azure", "dataUrl": DATA, "maxUsdPerH": "0.6", "idleMinutes": "30", **changed}
    found = parse_settings({f"sonarstack:{key}": value for key, value in texts.items()})
    assert isinstance(found, AzureSettings)
    return found


def declared_anew(**changed: Any) -> dict[str, Declared]:
    program, _ = program_to_plan(settings(**changed), "night")
    return {one.name: one for one in declare(program, project="sonarstack", stack="night")}


def declared_for(account: Account, **changed: Any) -> dict[str, Declared]:
    """With an account that was seen."""
    wanted = settings(**changed)
    program = lambda: deploy(wanted, "night", account, quiet=True)  # noqa: E731
    return {one.name: one for one in declare(program, project="sonarstack", stack="night")}


@cache
def declared(**changed: Any) -> dict[str, Declared]:
    """By name; nobody may change it."""
    return declared_anew(**changed)
