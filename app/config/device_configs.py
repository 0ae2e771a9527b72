"""How much of each kind of device a run may use."""

from pydantic import BaseModel, ConfigDict, Field


class DeviceConfig(BaseModel):
    """Settings of one kind of device; a value left out is decided by measuring or by the device plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_size: int | None = Field(default=None, ge=1, le=4096)
    """Samples per optimiser step; None takes the recipe's."""
    workers: int | None = Field(default=None, ge=0, le=64)
    """Threads (on a CPU) or processes (for a GPU) that prepare tiles; None takes the plan's."""
    memory_limit: float = Field(default=0.8, gt=0, le=1)
    """Part of the device's memory that a batch may fill."""
    dtype: str | None = Field(default=None, pattern="^(float32|bfloat16|float16)$")
    compile: bool | None = None


class CpuConfig(DeviceConfig):
    """The CPU shares its memory with everything else on the machine."""

    memory_limit: float = Field(default=0.6, gt=0, le=1)
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads of one operation; None takes all usable cores."""


class CudaConfig(DeviceConfig):
    """NVIDIA GPUs."""

    memory_limit: float = Field(default=0.9, gt=0, le=1)
    tf32: bool | None = None


class MpsConfig(DeviceConfig):
    """Apple GPUs share the machine's memory."""

    memory_limit: float = Field(default=0.6, gt=0, le=1)


class XpuConfig(DeviceConfig):
    """Intel GPUs, experimental."""


class DeviceConfigs(BaseModel):
    """One section a kind of device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: CpuConfig = CpuConfig()
    cuda: CudaConfig = CudaConfig()
    mps: MpsConfig = MpsConfig()
    xpu: XpuConfig = XpuConfig()

    def of(self, kind: str) -> DeviceConfig:
        """The section of a kind of device, such as `cpu`."""
        section: DeviceConfig = getattr(self, kind)
        return section
