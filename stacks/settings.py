"""A stack's settings: the one place that reads pulumi.Config, and tells every mistake at once.

Keys are `sonarstack:camelCase`; a key that means the same has the same name on every target. Each target adds its own
in stacks/configs/.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from infra.errors import SettingsError
from stacks.configs import TARGETS, StackSettings

PREFIX = "sonarstack:"
SECRETS = frozenset({"notifyUrl", "registryPassword"})
"""No error quotes these, however they were given."""
HIDDEN = "(hidden)"
STAND_INS = {"dataUrl": "tiles", "maxUsdPerH": 1.0}
"""Values for settings without a default, used only to judge the others when these are missing or wrong."""


def read_pulumi_config() -> StackSettings:
    """The settings of the stack that the engine runs now.

    Raises:
        SettingsError: every mistake, a line each.
    """
    # pulumi.Config gives a value for a key but no list of keys, without which a misspelt one is never noticed.
    from pulumi.runtime.config import CONFIG, get_config_env

    return parse_settings({**get_config_env(), **CONFIG.get()})


def read_stack_file(folder: Path, stack: str, overrides: Iterable[str] = ()) -> StackSettings:
    """The settings of Pulumi.STACK.yaml, without the engine.

    Args:
        folder: the project's.
        stack: its name; a target's name is the stack that comes with the project.
        overrides: `key=value` words, with or without the prefix.

    Raises:
        SettingsError: no such file, or every mistake, a line each.
    """
    path = folder / f"Pulumi.{stack}.yaml"
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError as error:
        known = sorted(p.name.split(".")[1] for p in folder.glob("Pulumi.*.yaml"))
        raise SettingsError(
            f"{path.name} does not exist; stacks with settings here are {', '.join(known)}"
        ) from error
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read as YAML ({type(error).__name__}); mend it") from error
    config = content.get("config") if isinstance(content, Mapping) else None
    if not isinstance(config, Mapping):
        raise SettingsError(
            f"{path} has no `config:` section; it holds lines such as `{PREFIX}target: local`"
        )
    return parse_settings({**{str(k): _shown(v) for k, v in config.items()}, **parse_words(overrides)})


def _shown(value: Any) -> Any:
    """A value of the file; a secret one is there, and only the engine can read it."""
    return "[secret]" if isinstance(value, Mapping) and set(value) == {"secure"} else value


def parse_words(words: Iterable[str]) -> dict[str, str]:
    """`key=value` words as settings with their prefix.

    Raises:
        SettingsError: a word without `=`.
    """
    values = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise SettingsError(f"--set {word} is not key=value; write, for example, --set maxHours=2")
        values[key if ":" in key else f"{PREFIX}{key}"] = value
    return values


def parse_settings(config: Mapping[str, Any]) -> StackSettings:
    """Settings from the texts that Pulumi stores, lists and maps as JSON.

    Raises:
        SettingsError: every mistake, a line each: what was given, what is allowed.
    """
    values = {key.removeprefix(PREFIX): value for key, value in config.items() if key.startswith(PREFIX)}
    target = values.get("target")
    model = TARGETS.get(target) if isinstance(target, str) else None
    if model is None:
        given = f"{PREFIX}target={target!r}" if target is not None else f"{PREFIX}target is not set"
        raise SettingsError(f"{given}; allowed are {', '.join(TARGETS)}")
    values, problems = _decode(model, values)
    settings, mistakes = _validate(model, values)
    problems |= mistakes
    if settings is None:
        # What one field got wrong must not hide what the others contradict: judge them with that field's default.
        good = {k: v for k, v in values.items() if k not in problems and k in _aliases(model)}
        good = {k: v for k, v in STAND_INS.items() if k in _aliases(model)} | good
        settings, _ = _validate(model, good)
    found = list(problems.values())
    if settings is not None:
        found += [text for keys, text in settings.contradictions() if not problems.keys() & set(keys)]
    if found or settings is None:
        counted = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise SettingsError(
            "\n".join([f"settings of target {target}: {counted}", *(f"  {t}" for t in found)])
        )
    return settings


def _aliases(model: type[StackSettings]) -> dict[str, str]:
    """Key to field name."""
    return {str(field.alias or name): name for name, field in model.model_fields.items()}


def _decode(model: type[StackSettings], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Lists and maps out of their JSON texts; empty texts are `not given`."""
    decoded: dict[str, Any] = {}
    problems: dict[str, str] = {}
    aliases = _aliases(model)
    for key, value in values.items():
        name = aliases.get(key)
        annotation = str(model.model_fields[name].annotation) if name else ""
        if value == "" or value is None:
            continue
        if isinstance(value, str) and annotation.startswith(("tuple", "dict")):
            try:
                decoded[key] = json.loads(value)
            except ValueError:
                example = '["RTX 4090", "A40"]' if annotation.startswith("tuple") else '{"NAME": "value"}'
                problems[key] = f"{PREFIX}{key}={value!r}: must be JSON such as {example}"
        else:
            decoded[key] = value
    return decoded, problems


def _validate(
    model: type[StackSettings], values: Mapping[str, Any]
) -> tuple[StackSettings | None, dict[str, str]]:
    try:
        return model.model_validate(values), {}
    except ValidationError as error:
        return None, {str(d["loc"][0]): _explain(model, d) for d in error.errors()}


def _explain(model: type[StackSettings], detail: Any) -> str:
    key, aliases = str(detail["loc"][0]), _aliases(model)
    if detail["type"] == "extra_forbidden":
        return f"{PREFIX}{key} is unknown; allowed are {', '.join(sorted(aliases))}"
    about = (model.model_fields[aliases[key]].description or "").split("\n")[0].rstrip(".")
    if detail["type"] == "missing":
        return f"{PREFIX}{key} is not set: {about}"
    message = detail["msg"].removeprefix("Value error, ")
    shown = HIDDEN if key in SECRETS else repr(detail["input"])
    return f"{PREFIX}{key}={shown}: {message[0].lower()}{message[1:]} ({about})"
