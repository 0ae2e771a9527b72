"""DeviceManager: the device, how it is best used, and how full it is, under one name."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from app.device.choice import Probe, choose_device
from app.device.memory import MemoryMonitor, MemoryReading
from app.device.plan import DevicePlan, plan_device


class DeviceManager:
    """Chooses a device once, with a reason, and plans its use.

    Example:
        manager = DeviceManager("auto")
        print(manager.device, manager.reason)
        with manager.autocast():
            ...
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        fallback: str | None = None,
        probe: Probe | None = None,
        **overrides: Any,
    ) -> None:
        """Args: see `choose_device` and `plan_device`.

        Raises:
            DeviceError: the named device is not there.
            SettingsError: an override is unknown.
        """
        choice = choose_device(device, fallback=fallback, probe=probe, may_step_down=False)
        self.plan: DevicePlan = plan_device(choice, probe=probe, **overrides)
        self.device: torch.device = choice.device
        self.reason: str = choice.reason
        self.warnings: tuple[str, ...] = choice.warnings

    @property
    def dtype(self) -> torch.dtype:
        """Format that the network computes in."""
        return self.plan.dtype

    def memory(self) -> MemoryReading:
        """Host and device memory now."""
        return MemoryMonitor(self.device).read()

    def autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision as planned; does nothing in float32."""
        return torch.autocast(self.device.type, dtype=self.plan.dtype, enabled=self.plan.autocast)
