"""How many CPU cores this process may use."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells of a container's share of the cores, in either version of cgroups.

Source: kernel.org, admin-guide/cgroup-v2 (cpu.max) and scheduler/sched-bwc (cpu.cfs_quota_us).
"""


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores of this process: fewer than the machine's under taskset, or in a container with a share of them.

    More threads than a container's share of time would stand still together until the next slice.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return cores if share is None else max(1, min(cores, math.ceil(share)))


def _share(cgroup: Path) -> float | None:
    """Cores whose time a container may take; None where nothing bounds it."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except OSError:
        try:
            quota, period = (
                (cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        except OSError:  # no container, or no Linux
            return None
    # Without a bound version 2 says max, version 1 says -1.
    return int(quota) / int(period) if quota.strip().isdecimal() else None
