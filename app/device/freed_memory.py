"""Freed memory stays with the process: a training step frees and takes the same large pieces again and again.

The C library gives pieces of many MiB back to the system at once and gets them again as pages that the kernel must
fill with zeros. Measured at 640 px, batch 8, one thread: 20,000 to 100,000 page faults a step, and 15 to 30 % of
the processor's time, against none with this.
"""

import ctypes
import sys

# Source: malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
LARGEST_BYTES = 1 << 30
"""Pieces from this size on are still given back at once."""
GROW_BYTES = 64 << 20


def keep_freed_memory() -> bool:
    """Have the GNU C library keep what is freed; whether this system has it and took all of it."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library, such as musl
        return False
    wanted = ((_M_MMAP_THRESHOLD, LARGEST_BYTES), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, GROW_BYTES))
    return all(bool(mallopt(name, value)) for name, value in wanted)
