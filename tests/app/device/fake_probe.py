"""A machine that is not here, told through the one seam to torch."""

from dataclasses import dataclass, field

import torch


@dataclass(frozen=True, kw_only=True)
class FakeProbe:
    """Devices as a test wants them; see `app.device.choice.Probe`."""

    counts: dict[str, int] = field(default_factory=dict)
    capability: tuple[int, int] = (8, 0)
    cpu: frozenset[str] = frozenset()
    half_gflop_s: float = 200.0
    """In bfloat16; float32 reaches 100."""

    def available(self, kind: str) -> bool:
        return self.count(kind) > 0

    def count(self, kind: str) -> int:
        return 1 if kind == "cpu" else self.counts.get(kind, 0)

    def name(self, kind: str, index: int) -> str:
        return f"fake {kind} {index}"

    def compute_capability(self, index: int) -> tuple[int, int]:
        return self.capability

    def cpu_capabilities(self) -> frozenset[str]:
        return self.cpu

    def convolution_flop_s(self, dtype: torch.dtype) -> float:
        return (self.half_gflop_s if dtype is torch.bfloat16 else 100.0) * 1e9

    def memory_bytes(self, kind: str, index: int) -> int | None:
        return None if kind == "cpu" else 16 * 2**30
