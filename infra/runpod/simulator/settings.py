"""How a simulator is set up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from infra.runpod.simulator.assumptions import follows

PodKind = Literal["process", "container"]


@follows("pod-key-rights")
@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Seconds are simulated ones, where nothing else is said."""

    folder: Path
    """Of state, volumes and pods."""
    allowed: Path
    """Mount paths must lie in it, where pods are processes."""
    speed: float = 1.0
    """Simulated seconds per real second."""
    provision_s: float = 0.3
    """PROVISIONING takes so long."""
    start_s: float = 0.3
    """STARTING takes so long."""
    grace_s: float = 5.0
    """Real seconds between SIGTERM and SIGKILL."""
    image_commands: Mapping[str, str] = field(default_factory=dict)
    """Image to the words that it runs where a pod has no args."""
    pod_keys: bool = True
    """Whether a pod's own key may look at and end its pod."""
    pods: PodKind = "process"
    """What a pod is on this machine; see pod_kinds.py."""
    seed: int = 0
    moving: bool = False
    """Whether stock and prices drift."""
    balance_usd: float | None = None
    """What the account has paid in; None is without end."""
    requests_per_minute: int | None = None
    """A key may ask so often; None is exempt from rate limits, as the contract allows for."""
