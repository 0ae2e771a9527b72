"""How much memory of the host this process may use and how much of that is free; a container has less than its host."""

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux (cgroup v2) tells about a container's memory."""


def host_limit_bytes(cgroup: Path = CGROUP) -> int:
    """Memory this process may use: the machine's, or the container's where that is less."""
    total = int(psutil.virtual_memory().total)
    try:
        text = (cgroup / "memory.max").read_text().strip()
    except OSError:  # no cgroup v2: macOS, Windows, old kernels
        return total
    return min(total, int(text)) if text.isdecimal() else total


def host_free_bytes(cgroup: Path = CGROUP) -> int:
    """Memory that can still be taken, files that the kernel would give up for it included, of both."""
    available = int(psutil.virtual_memory().available)
    try:
        used = int((cgroup / "memory.current").read_text())
        told = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except OSError:
        return available
    return max(0, min(available, host_limit_bytes(cgroup) - used + int(told.get("inactive_file", 0))))
