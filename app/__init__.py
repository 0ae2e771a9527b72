"""sonarstack: a side-scan-sonar detector and trainer that runs on whatever device is there.

The public names are imported when they are first used: `import app` itself costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.benchmark.environments import MultiEnvironmentBenchmark
    from app.detector.network import SidescanTargetDetector
    from app.device.manager import DeviceManager
    from app.pipeline import MineDetectionPipeline

_HOMES = {
    "DeviceManager": "app.device.manager",
    "MineDetectionPipeline": "app.pipeline",
    "MultiEnvironmentBenchmark": "app.benchmark.environments",
    "SidescanTargetDetector": "app.detector.network",
}

__all__ = ["DeviceManager", "MineDetectionPipeline", "MultiEnvironmentBenchmark", "SidescanTargetDetector"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'app' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
