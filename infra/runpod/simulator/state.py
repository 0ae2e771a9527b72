"""What the simulated account holds, and the file that keeps it over a restart of the simulator."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.runpod.simulator.clock import Anchor
from infra.runpod.simulator.meter import Bill

ACTIVE = ("PROVISIONING", "STARTING", "RUNNING", "ERROR")
"""In these a pod has its machine, and bills."""


@dataclass(kw_only=True)
class PodState:
    """A pod. Times are simulated seconds."""

    id: str
    name: str
    image: str
    args: str
    disk_gb: int
    ports: list[str]
    env: dict[str, str]
    injected: dict[str, str]
    """Variables of the provider's own that the API does not show."""
    registry: str | None
    mounts: dict[str, Any]
    cloud: str
    data_center: str
    gpu_id: str | None
    gpu_count: int
    cpu_id: str | None
    vcpus: int
    memory_gb: int
    cuda_version: str | None
    price_usd_per_h: float
    """Of the whole pod."""
    own_key: str
    ssh_port: int
    global_networking: bool
    status: str
    since_s: float
    """When the status began."""
    created_s: float
    started_s: float | None = None
    locked: bool = False
    listed_from_s: float = 0.0
    """Before, the list does not have it yet."""
    dies_at_s: float | None = None
    never_ready: bool = False
    fails: bool = False
    """It goes to ERROR instead of RUNNING."""
    bad_gpu: bool = False
    """Its nvidia-smi fails."""
    wipe_first: bool = False
    """Its disk is emptied before it starts again."""
    slow_s: float = 0.0
    """Real seconds by which its container starts late."""
    gpu_percent: int = 0
    gpu_memory_percent: int = 0
    cpu_percent: int = 0
    memory_percent: int = 0
    use_given: bool = False
    """The figures above were given by hand and are not measured."""

    @property
    def volume_id(self) -> str | None:
        """Of its network volume."""
        network = self.mounts.get("network") or [{}]
        found = network[0].get("volumeId")
        return str(found) if found is not None else None

    @property
    def active(self) -> bool:
        """It has a machine, and bills for it."""
        return self.status in ACTIVE


@dataclass(kw_only=True)
class VolumeState:
    """A network volume."""

    id: str
    name: str
    size_gb: int
    data_center: str
    type: str


@dataclass(kw_only=True)
class RegistryState:
    """A registry's credentials; nothing ever answers them."""

    id: str
    name: str
    username: str
    password: str = field(repr=False)


@dataclass(kw_only=True)
class State:
    """The whole account."""

    keys: list[str] = field(default_factory=list, repr=False)
    anchors: list[Anchor] = field(default_factory=list)
    balance_usd: float | None = None
    """What was paid in; None is without end."""
    ssh_keys: list[str] = field(default_factory=list)
    pods: dict[str, PodState] = field(default_factory=dict)
    volumes: dict[str, VolumeState] = field(default_factory=dict)
    registries: dict[str, RegistryState] = field(default_factory=dict)
    pod_bills: dict[str, Bill] = field(default_factory=dict)
    volume_bills: dict[str, Bill] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    """Set by hand: 'CLOUD/DATA CENTRE/ID' to free units."""
    prices: dict[str, float] = field(default_factory=dict)
    """Set by hand: 'CLOUD/ID' to USD per hour."""

    def save(self, path: Path) -> None:
        """Whole or not at all; for its user's eyes only, since it holds keys and variables."""
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(asdict(self), stream)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "State":
        """From the file; a new account where there is none.

        Raises:
            ValueError: the file is not one of ours.
        """
        if not path.exists():
            return cls()
        try:
            told = json.loads(path.read_text())
            told["anchors"] = [(one[0], one[1], one[2]) for one in told["anchors"]]
            for name, kind in (("pods", PodState), ("volumes", VolumeState), ("registries", RegistryState)):
                told[name] = {key: kind(**one) for key, one in told[name].items()}
            for name in ("pod_bills", "volume_bills"):
                told[name] = {key: Bill.read(one) for key, one in told[name].items()}
            return cls(**told)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(
                f"{path} is not a simulator's state; give another --folder or remove it"
            ) from error
