"""Lies beside a simulated pod's program as `torch`: as far as that asks whether the rented GPUs work.

There is no GPU here. The job itself comes by SSH, whose sessions know nothing of this, and finds the real torch.
"""

import json
from pathlib import Path

__version__ = "simulated"
_GPU = json.loads(Path(__file__).with_name("gpu.json").read_text())


class cuda:  # noqa: N801 torch's own name
    """What is asked of torch.cuda."""

    @staticmethod
    def device_count() -> int:
        """As many as were rented, unless they are to be broken."""
        return 0 if _GPU["broken"] else int(_GPU["count"])


class _Number:
    def add_(self, _: int) -> "_Number":
        return self

    def item(self) -> float:
        return 1.0


def zeros(*_: int, **__: str) -> _Number:
    """A tensor that can be asked what the probe asks."""
    return _Number()
