"""Asks Docker what it is and has, before anything is declared that needs it.

Pulumi's Docker provider fails with `failed to connect to any docker daemon` at preview, up and destroy alike (tried
with 5.2, 2026-11); asked first, the same fact comes with what to do about it.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx

from infra.errors import DockerError

SYSTEM_SOCKET = "unix:///var/run/docker.sock"
ANSWERS_WITHIN_S = 5.0
ADVICE = (
    "start it (Docker Desktop, or `sudo systemctl start docker`), or run without it: "
    "pulumi config set sonarstack:mode process"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerFacts:
    """What a Docker that answers told of itself."""

    address: str
    version: str
    architecture: str
    """amd64 or arm64, as image platforms name them."""
    cores: int
    memory_gib: float
    gpu: bool
    """Whether containers can be given NVIDIA GPUs: the nvidia runtime, or its devices by CDI."""


def docker_address(setting: str | None, variables: Mapping[str, str] | None = None) -> str:
    """The Docker that is meant: the stack's setting, DOCKER_HOST, the system's socket."""
    variables = os.environ if variables is None else variables
    return setting or variables.get("DOCKER_HOST") or SYSTEM_SOCKET


def ask_docker(address: str) -> DockerFacts:
    """Ask over the engine's API (`/info`, any version of it).

    Raises:
        DockerError: no answer, no right to ask, or a kind of address that cannot be asked.
    """
    info = _get(address, "/info")
    if info is None:
        raise DockerError(f"Docker at {address} answers 404, not its facts; is it a Docker?")
    return _facts(address, info)


def image_labels(address: str, image: str) -> Mapping[str, str] | None:
    """The labels of an image that Docker has; None if it has to be pulled first.

    Raises:
        DockerError: as `ask_docker`.
    """
    answer = _get(address, f"/images/{quote(image, safe='/:@')}/json")
    if answer is None:
        return None
    config = answer.get("Config")
    return (config.get("Labels") if isinstance(config, Mapping) else None) or {}


def _get(address: str, path: str) -> Mapping[str, object] | None:
    """One answer of the engine's API; None for 404."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        _knock(address, parts.path)
        transport, base = httpx.HTTPTransport(uds=parts.path), "http://docker"
    elif parts.scheme in ("tcp", "http"):
        transport, base = httpx.HTTPTransport(), f"http://{parts.netloc}"
    else:
        raise DockerError(f"Docker at {address} cannot be asked; give unix:///path or tcp://host:port")
    try:
        with httpx.Client(transport=transport, base_url=base, timeout=ANSWERS_WITHIN_S) as client:
            answer = client.get(path)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            return dict(answer.json())
    except httpx.HTTPStatusError as error:
        raise DockerError(
            f"Docker at {address} answers {error.response.status_code}, not its facts; is it a Docker?"
        ) from error
    except (httpx.HTTPError, ValueError) as error:
        raise DockerError(
            f"Docker does not answer at {address} ({type(error).__name__}); {ADVICE}"
        ) from error


def _knock(address: str, path: str) -> None:
    """Try the socket first: httpx leaves one that does not connect open, and hides why it did not."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWERS_WITHIN_S)
        try:
            probe.connect(path)
        except PermissionError as error:
            raise DockerError(
                f"Docker at {address} lets only the group `docker` in; join it (usermod -aG docker USER, "
                "then log in anew), or set sonarstack:mode to process"
            ) from error
        except OSError as error:
            raise DockerError(f"Docker does not answer at {address}; {ADVICE}") from error


def _facts(address: str, info: Mapping[str, object]) -> DockerFacts:
    runtimes, devices = info.get("Runtimes") or {}, info.get("DiscoveredDevices") or []
    by_cdi = isinstance(devices, list) and any("nvidia.com/gpu" in str(device) for device in devices)
    machine = str(info.get("Architecture", ""))
    return DockerFacts(
        address=address,
        version=str(info.get("ServerVersion", "")),
        architecture={"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
        cores=int(str(info.get("NCPU", 0))),
        memory_gib=int(str(info.get("MemTotal", 0))) / 2**30,
        gpu=(isinstance(runtimes, dict) and "nvidia" in runtimes) or by_cdi,
    )
