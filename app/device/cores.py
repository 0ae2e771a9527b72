"""How many CPU cores this process may use."""

import os


def usable_cores() -> int:
    """Cores that the scheduler gives this process: fewer than the machine's in a container or under taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
