"""The AWS stack as its program declares it, once for each way it is set: a declaration takes about a second."""

from functools import cache
from typing import Any

from stacks.aws import program_to_plan
from stacks.configs import AwsSettings
from stacks.mock_run import Declared, declare
from stacks.settings import parse_settings

DATA = "app/config/environments"
"""A folder that is here; that it holds no tiles is the program's to find."""


def settings(**changed: Any) -> AwsSettings:
    texts = {"target": "aws", "dataUrl": DATA, "maxUsdPerH": "0.8", "idleMinutes": "30", **changed}
    found = parse_settings({f"sonarstack:{key}": value for key, value in texts.items()})
    assert isinstance(found, AwsSettings)
    return found


def declared_anew(**changed: Any) -> dict[str, Declared]:
    program, _ = program_to_plan(settings(**changed), "night")
    return {one.name: one for one in declare(program, project="sonarstack", stack="night")}


@cache
def declared(**changed: Any) -> dict[str, Declared]:
    """By name; nobody may change it."""
    return declared_anew(**changed)
