"""Every setting of the program, where it came from, and what is allowed.

Precedence: defaults < environments/NAME.yaml (or a file of one's own) < SONARSTACK_* variables < command line.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.config.cloud_configs import CloudConfig
from app.config.device_configs import DeviceConfigs
from app.config.told_values import DeviceName, ProcessCount
from app.errors import SettingsError
from app.secrets import SEAL_KEY

ENVIRONMENTS = Path(__file__).parent / "environments"
SEAM_VERSION = 1
"""Version of the variables below, compared with what the stacks set."""
MAY_HOLD_SECRETS = frozenset({"cloud.notify_url"})
"""No error quotes these, however they were given."""
HIDDEN = "(hidden)"
VARIABLES = {
    "SONARSTACK_DATA_URL": "data",
    "SONARSTACK_RUN_URL": "cloud.run_url",
    "SONARSTACK_RECIPE": "recipe",
    "SONARSTACK_DEVICE": "device",
    "SONARSTACK_NPROC": "nproc",
    "SONARSTACK_MAX_HOURS": "cloud.max_hours",
    "SONARSTACK_MAX_USD": "cloud.max_usd",
    "SONARSTACK_SPENT_USD": "cloud.spent_usd",
    "SONARSTACK_PRICE_USD_PER_H": "cloud.price_usd_per_h",
    "SONARSTACK_IDLE_MINUTES": "cloud.idle_minutes",
    "SONARSTACK_CHECKPOINT_MINUTES": "cloud.checkpoint_minutes",
    "SONARSTACK_CLOUD": "cloud.provider",
    "SONARSTACK_LOG_PROVIDER": "cloud.log_provider",
    "SONARSTACK_LOG_GROUP": "cloud.log_group",
    "SONARSTACK_SEALED": "cloud.sealed",
    "SONARSTACK_SECRET_ID": "cloud.secret_id",
    "SONARSTACK_NOTIFY_URL": "cloud.notify_url",
}
FOREIGN_VARIABLES = {
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "cloud.metadata_url",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST": "cloud.metadata_url",
}
"""Of programs that run here too, under their own names: boto3's and azure-identity's."""
OTHER_VARIABLES = ("SONARSTACK_SEAM", "SONARSTACK_ENVIRONMENT", "SONARSTACK_TEST_DATA", SEAL_KEY)
"""Ours too, but not settings; the last one is a secret, read by app/secrets.py alone."""


class Settings(BaseModel):
    """What a run of the program is made of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: DeviceName = "cpu"
    """auto, cpu, cuda, cuda:N, mps, xpu or xpu:N."""
    fallback: Literal["cpu"] | None = None
    """Whether a missing device may be replaced by the CPU."""
    nproc: ProcessCount = 1
    """Processes that train together on this machine; auto is one each accelerator."""
    recipe: Literal["smoke", "baseline", "fine_tune"] = "baseline"
    data: str | None = None
    """Folder of labelled tiles; None simulates a survey."""
    surveys: tuple[str, ...] = ()
    """Recordings to detect in after training; empty simulates one."""
    out: str = "runs/latest"
    """Where the run and the report are written."""
    model: str = "shipped"
    """Model file to detect with, where nothing is trained."""
    epochs: int | None = Field(default=None, ge=1)
    size_px: int | None = Field(default=None, ge=64, multiple_of=32)
    seed: int = Field(default=0, ge=0)
    min_score: float = Field(default=0.4, ge=0, le=1)
    crs: str | None = None
    """Grid of positions in metres, such as EPSG:32619."""
    devices: DeviceConfigs = DeviceConfigs()
    cloud: CloudConfig = CloudConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedSettings:
    """Settings, and for every key that is not the default where its value came from."""

    settings: Settings
    sources: dict[str, str]
    """Dotted key to file, variable or `command line`."""


def load_settings(
    environment: str | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Gather the settings.

    Args:
        environment: name of a shipped environment or path of a YAML file; SONARSTACK_ENVIRONMENT if None.
        overrides: dotted keys from the command line; None values are not given.
        variables: environment variables; those of the process if None.

    Raises:
        SettingsError: unknown keys and wrong values, all of them, each with its key, source and what is allowed.
    """
    variables = os.environ if variables is None else variables
    environment = environment or variables.get("SONARSTACK_ENVIRONMENT")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    if environment:
        path = _environment_file(environment)
        for key, value in _flat(_read_yaml(path)).items():
            values[key], sources[key] = value, str(path)
    unknown = sorted(
        v
        for v in variables
        if v.startswith("SONARSTACK_") and v not in VARIABLES and v not in OTHER_VARIABLES
    )
    for name, key in (FOREIGN_VARIABLES | VARIABLES).items():
        if variables.get(name, "") != "":
            values[key], sources[key] = variables[name], name
    for key, value in (overrides or {}).items():
        if value is not None:
            values[key], sources[key] = value, "command line"
    problems = [f"{name} (environment) is unknown; allowed are {', '.join(VARIABLES)}" for name in unknown]
    try:
        settings = Settings.model_validate(_nested(values))
    except ValidationError as error:
        problems += [_explain(detail, sources) for detail in error.errors()]
    if problems:
        raise SettingsError("; ".join(problems))
    return LoadedSettings(settings=settings, sources=sources)


def environments() -> tuple[str, ...]:
    """Names of the shipped environments."""
    return tuple(sorted(p.stem for p in ENVIRONMENTS.glob("*.yaml")))


def flat_settings(settings: Settings) -> dict[str, Any]:
    """Dotted key to value, every setting."""
    return _flat(settings.model_dump())


def _environment_file(environment: str) -> Path:
    path = Path(environment)
    if path.suffix in (".yaml", ".yml"):
        return path
    shipped = ENVIRONMENTS / f"{environment}.yaml"
    if not shipped.is_file():
        raise SettingsError(
            f"environment {environment!r} does not exist; choose one of {', '.join(environments())}, "
            "or give the path of a .yaml file"
        )
    return shipped


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = f"line {mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else "its text"
        raise SettingsError(f"{path} is not YAML ({where}); it holds lines such as 'device: auto'") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must hold 'key: value' lines, not a {type(content).__name__}")
    return content


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                raise SettingsError(f"{parent} must be a section, in {key}")
            node = child
        node[last] = value
    return tree


def _explain(detail: Any, sources: Mapping[str, str]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    source = next(
        (s for k, s in sources.items() if k == key or k.startswith(f"{key}.") or key.startswith(f"{k}.")), ""
    )
    where = f" ({source})" if source else ""
    if detail["type"] == "extra_forbidden":
        return f"{key}{where} is unknown; allowed are {', '.join(_siblings(detail['loc']))}"
    shown = HIDDEN if key in MAY_HOLD_SECRETS else repr(detail["input"])
    return f"{key}={shown}{where}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def _siblings(location: tuple[Any, ...]) -> list[str]:
    model: Any = Settings
    for part in location[:-1]:
        model = model.model_fields[part].annotation
    return sorted(model.model_fields)
