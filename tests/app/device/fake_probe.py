"""A machine that is not here, told through the one seam to torch."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FakeProbe:
    """Devices as a test wants them; see `app.device.choice.Probe`."""

    counts: dict[str, int] = field(default_factory=dict)
    capability: tuple[int, int] = (8, 0)
    cpu: frozenset[str] = frozenset()

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

    def memory_bytes(self, kind: str, index: int) -> int | None:
        return None if kind == "cpu" else 16 * 2**30
