"""Memory that is freed and taken again costs no new pages."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from app.device.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for turn in range(20):
    if turn == 4:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    piece = bytearray(48 << 20)
    del piece
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")
def test_pages_are_kept() -> None:
    faults = {
        way: int(subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, check=True).stdout)
        for way in ("keep", "leave")
    }
    assert faults["leave"] > 1000
    assert faults["keep"] < 100
